#include "heed/detail/sinusoid.hpp"

#include "../support.hpp"

using namespace support;

namespace {

template <class S>
void check_encodings(Index first, Index step, Index features, Index count) {
  INFO("from " << first << " by " << step << ", " << features << " features");
  Tokens<S> y(features, count);
  heed::detail::sinusoidal_encodings<S>(first, step, y);
  double worst = 0;
  for (Index j = 0; j < count; ++j)
    for (Index i = 0; i < features; ++i) {
      const long double t = (long double)(first + j * step),
                        angle = t * std::pow(10000.0L, -(long double)(i - i % 2) / (long double)features),
                        exact = i % 2 == 0 ? std::sin(angle) : std::cos(angle);
      worst = std::max(worst, double(std::abs(exact - (long double)y(i, j))));
    }
  CHECK(worst <= (std::is_same_v<S, float> ? 1e-7 : 1e-12));
}

}  // namespace

TEST_CASE("Sinusoidal encodings of runs of positions, forth and back, below zero and with gaps") {
  for (const Index step : {1, -1, 0, 3, -7})
    for (const Index first : {0, 40, -40, 5000})
      for (const Index features : {1, 2, 7}) {
        check_encodings<double>(first, step, features, 100);
        check_encodings<float>(first, step, features, 100);
      }
  check_encodings<double>(3, 1, 4, 0);
  check_encodings<double>(3, 1, 4, 1);
}
