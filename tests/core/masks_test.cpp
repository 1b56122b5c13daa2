#include "heed/core/masks.hpp"

#include "../support.hpp"

using namespace support;

TEST_CASE("masks are the intervals of keys that they say") {
  for (const NamedMask& mask : {full(), causal(), window(1), window(3), window(40)})
    for (Index query = 0; query < 50; ++query) {
      const heed::Interval seen = mask.mask.keys(query);
      for (Index key = 0; key < 50; ++key) {
        INFO(mask.name << " query " << query << " key " << key);
        CHECK((key >= seen.begin && key < seen.end) == mask.sees(query, key));
      }
    }
}

TEST_CASE("masks do not overflow at far positions") {
  const Index far = Index(1) << 60;
  CHECK(heed::Full().keys(far).end > far);
  CHECK(heed::Full().keys(far).begin <= 0);
  CHECK(heed::Causal().keys(far).end == far + 1);
  CHECK(heed::Window(3).keys(far).begin == far - 2);
}

TEST_CASE("masks: how far they look back, and through a ring") {
  CHECK(heed::Full().lookback() == heed::unlimited);
  CHECK(heed::Causal().lookback() == heed::unlimited);
  CHECK(heed::Window(1).lookback() == 1);
  CHECK(heed::Window(8).lookback() == 8);
  CHECK(heed::Causal().within(8).lookback() == 8);
  CHECK(heed::Window(3).within(8).lookback() == 3);
  CHECK(heed::Window(8).within(3).lookback() == 3);
  CHECK(heed::Causal().within(heed::unlimited).lookback() == heed::unlimited);
}

TEST_CASE("a window sees at least its own position") {
  check_complaint("Window: width 0 must be at least 1", [] { heed::Window(0); });
  check_complaint("Window: width -2 must be at least 1", [] { heed::Window(-2); });
}
