#include "heed/layers/segment_attention.hpp"

#include "../support.hpp"
#include "heed/layers/multi_head_attention.hpp"

using namespace support;
using heed::AttentionConfig, heed::MultiHeadAttention, heed::SegmentAttention;

namespace {

template <class S, template <class, int> class Layer, int D = Dynamic>
auto attention(const AttentionConfig& c) {
  return Rig<S, Layer<S, D>>({c.dim}, c.dim, [=](Subject<S>& s) { return Layer<S, D>(s.at(), c); });
}
template <class S, int D>
using Whole = MultiHeadAttention<S, D>;

std::vector<AttentionConfig> settings() {
  std::vector<AttentionConfig> all;
  for (const heed::Mask& mask : {heed::Mask(heed::Causal()), heed::Mask(heed::Window(4)), heed::Mask(heed::Strided(3))})
    for (const heed::Position& at : {heed::Position(), heed::rotary(), heed::alibi(), heed::relative()})
      all.push_back({.dim = 4,
                     .heads = 2,
                     .mask = mask,
                     .position = at,
                     .memory_tokens = at.kind == heed::Position::Kind::rotary ? 0 : Index(all.size() / 2 % 2),
                     .bias = all.size() % 5 != 0});
  return all;
}

}  // namespace

TEST_CASE("SegmentAttention without a past is MultiHeadAttention") {
  for (const AttentionConfig& c : settings()) {
    INFO("mask " << c.mask.behind << " stride " << c.mask.stride << ", position " << int(c.position.kind));
    auto s = attention<double, SegmentAttention>(c), fixed_size = attention<double, SegmentAttention>(c);
    auto whole = attention<double, Whole>(c);
    auto fixed = attention<double, SegmentAttention, 4>(c);
    s.begin({0, 1, 5, 40}), whole.begin({0, 1, 5, 40}), fixed.begin({0, 1, 5, 40});
    check_same(s, whole);
    check_same(s, fixed);
    CHECK(s.layer.heads() == 2);
    check_targets(s);
  }
}

TEST_CASE("SegmentAttention: segments of an episode through a ring equal the windowed full pass") {
  for (const AttentionConfig& c : settings()) {
    INFO("mask " << c.mask.behind << " stride " << c.mask.stride << ", position " << int(c.position.kind));
    if (c.mask.lookback() == heed::unlimited) continue;
    auto s = attention<double, SegmentAttention>(c);
    auto whole = attention<double, Whole>(c);
    Lanes<double> one(s, whole, 2, {.chunk = 5});
    for (int i = 0; i < 20; ++i) one.step({1, i % 6}, {});
    Lanes<double>(s, whole, 3, {.chunk = 5}).wander(40, 5, 40, false, false);
  }
}

TEST_CASE("SegmentAttention: with room for all, segments equal the full pass") {
  for (const AttentionConfig& c : settings()) {
    INFO("mask " << c.mask.behind << " stride " << c.mask.stride << ", position " << int(c.position.kind));
    auto s = attention<double, SegmentAttention>(c);
    auto whole = attention<double, Whole>(c);
    Lanes<double>(s, whole, 3, {.columns = 40, .chunk = 5}).wander(30, 5, 30, false, false);
  }
}

TEST_CASE("SegmentAttention: gradients of a segment, and of the weights through the past") {
  for (const AttentionConfig& c : settings()) {
    INFO("mask " << c.mask.behind << " stride " << c.mask.stride << ", position " << int(c.position.kind));
    auto s = attention<double, SegmentAttention>(c);
    heed::Memory<double> m(s.layout, 3, {.columns = 9, .ring = true, .chunk = 5});
    for (const Lengths& first : {Lengths{0, 2, 5}, Lengths{0, 3, 5}}) {
      s.begin(first);
      s.extend(m);
      m.advance();
    }
    s.begin({4, 0, 3});
    const auto forward = [&]() -> const Tokens<double>& {
      s.extend(m);
      return s.y;
    };
    const auto backward = [&](const Tokens<double>& dy, Parameters<double>& g) { s.backward(dy, g); };
    const auto report = heed::testing::gradient_check(s.layout, s.p, {{"x", s.x[0], s.dx[0]}}, forward, backward);
    REQUIRE(report.rows.size() == s.layout.entries().size() + 1);
    for (const auto& row : report.rows) {
      INFO(row.name);
      CHECK(row.error <= 1e-6);
    }
    check_targets(s);
  }
}

TEST_CASE("SegmentAttention: the past counts as it does in the whole sequence, but gets no gradient") {
  for (const AttentionConfig& c : settings()) {
    INFO("mask " << c.mask.behind << " stride " << c.mask.stride << ", position " << int(c.position.kind));
    auto s = attention<double, SegmentAttention>(c);
    auto whole = attention<double, Whole>(c);
    whole.begin({12});
    heed::Memory<double> m(s.layout, 1, {.columns = 12, .chunk = 7});
    s.begin({5}), s.x[0] = whole.x[0].leftCols(5);
    s.extend(m), m.advance();
    s.begin({7}), s.x[0] = whole.x[0].rightCols(7);
    s.extend(m);
    whole.forward();
    CHECK(distance(s.y, whole.y.rightCols(7)) <= 1e-12);
    Tokens<double> dy = random<double>(4, 12, 3);
    dy.leftCols(5).setZero();
    Parameters<double> g(s.layout), h(whole.layout);
    s.backward(dy.rightCols(7), g);
    whole.backward(dy, h);
    CHECK(distance(g.flat, h.flat) <= 1e-12);
    CHECK(distance(s.dx[0], whole.dx[0].rightCols(7)) <= 1e-12);
    CHECK(whole.dx[0].leftCols(5).norm() > 1e-3);  // which is what the segment leaves out
  }
}

TEST_CASE("SegmentAttention: with a causal mask a segment sees all that the ring holds") {
  auto s = attention<double, SegmentAttention>({.dim = 4, .heads = 2, .mask = heed::Causal()});
  heed::Memory<double> m(s.layout, 1, {.columns = 4, .ring = true, .chunk = 3});
  for (int i = 0; i < 5; ++i) {
    s.begin({3}, {}, std::uint64_t(i));
    s.extend(m);
    m.advance();
  }
  s.extend(m);
  Tokens<double> w(6, 3);  // three of the past, and the segment
  s.layer.weights(s.p, s.a, 0, 1, w);
  for (Index j = 0; j < 3; ++j)
    for (Index i = 0; i < 6; ++i) CHECK((w(i, j) > 0) == (i <= 3 + j));
}

TEST_CASE("SegmentAttention: wrong shapes and settings") {
  auto s = attention<double, SegmentAttention>({.dim = 4, .heads = 2, .mask = heed::Causal()});
  s.begin({2, 3});
  heed::Memory<double> m(s.layout, 2, 8);
  check_shapes(s, "SegmentAttention", {"x"}, &m);
  check_complaint("SegmentAttention: dim 10 is not a multiple of heads 4",
                  [] { attention<float, SegmentAttention>({.dim = 10, .heads = 4}); });
  check_complaint("SegmentAttention: rotary positions do not go with memory tokens (2)", [] {
    attention<float, SegmentAttention>({.dim = 4, .position = heed::rotary(), .memory_tokens = 2});
  });
  check_complaint("by distance in space are not for it", [] {
    attention<float, SegmentAttention>({.dim = 4, .position = {.kind = heed::Position::Kind::distance}});
  });
}
