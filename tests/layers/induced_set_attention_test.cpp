#include "heed/layers/induced_set_attention.hpp"

#include "set_attention_formulas.hpp"

using namespace support;
using heed::InducedSetAttention;

namespace {

template <class S>
auto attention(Index dim, Index heads, Index points) {
  return Rig<S, InducedSetAttention<S>>({dim}, dim, [=](Subject<S>& s) {
    return InducedSetAttention<S>(s.at(), {.dim = dim, .heads = heads, .points = points});
  });
}

auto formula(const auto& s) {
  return [&s]<class T>(const Values<T>& values) {
    const auto& layer = s.layer;
    const std::size_t sets = s.time_lengths.size();
    const Lengths points(sets, layer.queries.count());
    const Table<T>& x = values.x[0];
    const Table<T> h = plain_set_attention(values, layer.block1, plain_queries(values, layer.queries.weight, sets), x,
                                           points, s.time_lengths);
    return plain_set_attention(values, layer.block2, x, h, s.time_lengths, points);
  };
}

const Lengths lengths{0, 1, 5, 70, 2};

}  // namespace

TEST_CASE("InducedSetAttention is MAB(X, MAB(I, X))") {
  for (const Index points : {1, 3}) {
    auto s = attention<double>(6, 3, points);
    s.begin(lengths);
    check_formula(s, formula(s));
    auto f = attention<float>(8, 2, points);
    f.begin(lengths);
    check_formula(f, formula(f));
  }
}

TEST_CASE("InducedSetAttention: gradients") {
  for (const Index points : {1, 3}) {
    auto s = attention<double>(4, 2, points);
    s.begin({0, 1, 5, 2});
    check_gradients(s);
    check_targets(s);
    s.x[0].setZero();
    check_gradients(s);
    s.x[0].setOnes();
    check_gradients(s);
    s.x[0] = saturated<double>(4, 8, 1);
    check_slopes(s, formula(s), 1e4);
  }
}

TEST_CASE("InducedSetAttention: tokens that change places change answers, and sees all of its set and no other") {
  auto s = attention<double>(4, 2, 3);
  s.begin(lengths);
  s.forward();
  const Tokens<double> y = s.y;
  s.x[0] = backwards(s.x[0], lengths);
  s.forward();
  CHECK(distance(s.y, backwards(y, lengths)) <= 1e-12);
  auto f = attention<float>(4, 2, 3);
  f.begin({0, 1, 4, 2});
  check_sight(f, full());
}

TEST_CASE("InducedSetAttention: sets that are all empty") {
  auto s = attention<double>(4, 2, 3);
  s.begin({0, 0});
  s.forward();
  Parameters<double> g(s.layout);
  s.backward(Tokens<double>(4, 0), g);
  CHECK((g.flat.array() == 0).all());
}

TEST_CASE("InducedSetAttention has names, and points of Xavier's size") {
  auto s = attention<double>(100, 2, 20);
  CHECK(s.layout.entries()[0].name == "inducing_points");
  CHECK(s.layout.entries()[1].name == "block1.attention.in_proj_weight");
  CHECK(s.layout.entries().back().name == "block2.norm2.bias");
  const Parameters<double> p(s.layout, 1);
  CHECK(p[s.layer.queries.weight].cwiseAbs().maxCoeff() == Approx(std::sqrt(6.0 / 120)).epsilon(0.02));
}

TEST_CASE("InducedSetAttention: wrong shapes and numbers") {
  auto s = attention<double>(4, 2, 3);
  s.begin({1, 3});
  check_shapes(s, "InducedSetAttention", {"x"});
  check_complaint("inducing_points: size 0 of its shape is 0", [] { attention<float>(4, 2, 0); });
  check_complaint("dim 10 is not a multiple of heads 4", [] { attention<float>(10, 4, 1); });
}
