#include "heed/layers/luong_decoder.hpp"

#include "../support.hpp"

using namespace support;
using heed::LuongDecoder, heed::LuongReach, heed::LuongScore;

namespace {

template <class S>
auto decoder(LuongScore score, LuongReach reach = LuongReach::global) {
  const Index source = score == LuongScore::dot ? 4 : 5;
  return Rig<S, LuongDecoder<S>, 2>({3, source}, 4, [=](Subject<S>& s) {
    s.axes = {s.time, s.source};
    return LuongDecoder<S>(
        s.at(), s.source,
        {.in = 3, .source_dim = source, .hidden = 4, .score = score, .reach = reach, .half_window = 2});
  });
}

constexpr LuongScore scores[] = {LuongScore::dot, LuongScore::general, LuongScore::concat};

}  // namespace

TEST_CASE("LuongDecoder is a GRU, and LuongAttention over its states") {
  for (const LuongScore score : scores) {
    auto s = decoder<double>(score);
    s.begin({0, 1, 3, 2}, {2, 3, 0, 1});
    s.forward();
    Tokens<double> x = s.x[0], states(4, 6), y(4, 6);
    const auto& start = s.layer.initial;  // the second and the last sequence have a source: it ends at columns 4 and 5
    x.col(0) += s.p[start.weight] * s.x[1].col(4) + s.p[start.bias];
    x.col(4) += s.p[start.weight] * s.x[1].col(5) + s.p[start.bias];
    s.layer.gru.forward(s.p, x, states, s.a);
    s.layer.attention.forward(s.p, states, s.x[1], y, s.a);
    CHECK(distance(s.y, y) <= 1e-14);
  }
}

TEST_CASE("LuongDecoder: gradients") {
  for (const LuongScore score : scores)
    for (const LuongReach reach : {LuongReach::global, LuongReach::monotonic, LuongReach::predictive}) {
      INFO(int(score) << " " << int(reach));
      auto s = decoder<double>(score, reach);
      s.begin({0, 1, 3, 2}, {2, 3, 0, 7});
      check_gradients(s);
      check_targets(s);
    }
}

TEST_CASE("LuongDecoder: extend, with a source that stays") {
  for (const LuongScore score : scores)
    for (const LuongReach reach : {LuongReach::global, LuongReach::monotonic, LuongReach::predictive}) {
      auto s = decoder<double>(score, reach);
      Lanes<double> lanes(s, 2, {.columns = 60});
      for (int i = 0; i < 12; ++i) lanes.step({1, i % 3}, {i == 0 ? 4 : 0, i == 1 ? 6 : 0});
      lanes.forget(1);
      lanes.step({1, 2}, {0, 3}, {true, false});
      lanes.step({1, 2}, {0, 5});
      lanes.step({0, 1}, {0, 0});
    }
}

TEST_CASE("LuongDecoder: wrong shapes") {
  auto s = decoder<double>(LuongScore::general);
  s.begin({2, 3}, {1, 4});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "LuongDecoder", {"x", "source"}, &m);
  heed::Memory<double> one(s.layout, 1, 8);
  check_complaint("Memory: 2 sequences on axis 0, but there are 1 lanes", [&] { s.extend(one); });
  s.begin({0, 1}, {3, 2});
  s.extend(m);
  m.advance();
  s.begin({2, 1}, {0, 0});
  check_complaint("LuongDecoder: lane 0 was shown its source before its first step", [&] { s.extend(m); });
}
