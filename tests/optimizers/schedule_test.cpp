#include "heed/optimizers/schedule.hpp"

#include <type_traits>

#include "catch.hpp"

using heed::Schedule;

TEST_CASE("Schedule: by hand") {
  const Schedule constant, linear{.shape = Schedule::linear}, cosine{.shape = Schedule::cosine};
  const Schedule to_half{.shape = Schedule::linear, .final_share = 0.5};
  const Schedule cosine_to_half{.shape = Schedule::cosine, .final_share = 0.5};
  for (const double u : {0.0, 0.3, 1.0, 7.0}) CHECK(constant(u) == 1);
  CHECK(linear(0) == 1);
  CHECK(linear(0.25) == 0.75);
  CHECK(linear(1) == 0);
  CHECK(to_half(0.5) == 0.75);
  CHECK(to_half(1) == 0.5);
  CHECK(cosine(0) == 1);
  CHECK(cosine(1.0 / 3) == Approx(0.75).epsilon(1e-14));
  CHECK(cosine(0.5) == Approx(0.5).epsilon(1e-14));
  CHECK(cosine(1) == 0);
  CHECK(cosine_to_half(0.5) == Approx(0.75).epsilon(1e-14));
  CHECK(cosine_to_half(1) == 0.5);
}

TEST_CASE("Schedule: a warm-up comes first, and the rest is squeezed behind it") {
  for (const auto shape : {Schedule::constant, Schedule::linear, Schedule::cosine})
    for (const double share : {0.0, 0.1, 1.0}) {
      const Schedule whole{.shape = shape, .final_share = share};
      const Schedule late{.shape = shape, .final_share = share, .warm_up = 0.2};
      for (const double u : {0.0, 0.05, 0.1, 0.19}) CHECK(late(u) == Approx(u / 0.2).epsilon(1e-14));
      CHECK(late(0.2) == 1);
      for (const double s : {0.0, 0.1, 0.5, 0.9, 1.0})
        CHECK(late(0.2 + 0.8 * s) == Approx(whole(s)).epsilon(1e-14).margin(1e-14));
      CHECK(late(1.5) == whole(1));
    }
}

TEST_CASE("Schedule: a constant expression of its settings, and plain data") {
  constexpr Schedule s{.shape = Schedule::cosine, .warm_up = 0.1};
  CHECK(s.warm_up == 0.1);
  CHECK(std::is_trivially_copyable_v<Schedule>);
}

TEST_CASE("Schedule: errors") {
  const Schedule s;
  CHECK_THROWS_WITH(s(-0.1), ContainsSubstring("Schedule: progress -0.1 must not be negative"));
  CHECK_THROWS_WITH(s(std::nan("")), ContainsSubstring("progress nan"));
  for (const double share : {-0.1, 1.1, std::nan("")})
    CHECK_THROWS_WITH(Schedule{.final_share = share}(0.5), ContainsSubstring("Schedule: final_share"));
  for (const double warm_up : {-0.1, 1.0, std::nan("")})
    CHECK_THROWS_WITH(Schedule{.warm_up = warm_up}(0.5), ContainsSubstring("Schedule: warm_up"));
}
