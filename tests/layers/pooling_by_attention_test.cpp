#include "heed/layers/pooling_by_attention.hpp"

#include "set_attention_formulas.hpp"

using namespace support;
using heed::PoolingByAttention;

namespace {

/// With y as (k D) x sequences, along the parent of the sets' axis: the same bytes.
template <class S>
struct Stacked {
  PoolingByAttention<S> layer;
  Index dim;

  template <class M>
  auto flat(M& m) const {
    return Eigen::Map<
        std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(m.data())>>, const Tokens<S>, Tokens<S>>>(
        m.data(), dim, m.size() / dim);
  }
  void forward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Write<S> y, heed::ActivationsView<S> a) const {
    layer.forward(p, x, flat(y), a);
  }
  void backward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Read<S> dy, heed::ActivationsView<S> a,
                heed::ParametersView<S> g, heed::Gradient<S> dx) const {
    layer.backward(p, x, flat(dy), a, g, dx);
  }
};

template <class S>
auto pooling(Index dim, Index heads, Index seeds) {
  return Rig<S, Stacked<S>>(
      {dim}, seeds * dim,
      [=](Subject<S>& s) {
        return Stacked<S>{{s.at().along(s.source), {.dim = dim, .heads = heads, .seeds = seeds}}, dim};
      },
      {}, true);
}

auto formula(const auto& s) {
  return [&s]<class T>(const Values<T>& values) {
    const auto& layer = s.layer.layer;
    const std::size_t sets = s.source_lengths.size();
    Table<T> y = plain_set_attention(values, layer.block, plain_queries(values, layer.queries.weight, sets),
                                     plain_feed(values, layer.linear, values.x[0]),
                                     Lengths(sets, layer.queries.count()), s.source_lengths);
    y.rows = s.out, y.cols = Index(sets);
    return y;
  };
}

const Lengths lengths{0, 1, 5, 70, 2};  // of two sequences of time

}  // namespace

TEST_CASE("PoolingByAttention is MAB(seeds, rFF(Z)), a column for each seed and set") {
  for (const Index seeds : {1, 3}) {
    auto s = pooling<double>(6, 3, seeds);
    s.begin({2, 3}, lengths);
    check_formula(s, formula(s));
    auto f = pooling<float>(8, 2, seeds);
    f.begin({2, 3}, lengths);
    check_formula(f, formula(f));
  }
}

TEST_CASE("PoolingByAttention: gradients") {
  for (const Index seeds : {1, 3}) {
    auto s = pooling<double>(4, 2, seeds);
    s.begin({2, 3}, {0, 1, 5, 3, 2});
    check_gradients(s);
    check_targets(s);
    s.x[0].setZero();
    check_gradients(s);
    s.x[0].setOnes();
    check_gradients(s);
    s.x[0] = saturated<double>(4, 11, 1);
    check_slopes(s, formula(s), 1e4);
  }
}

TEST_CASE("PoolingByAttention: the order of a set does not matter, and nothing leaks between sets") {
  auto s = pooling<double>(4, 2, 3);
  s.begin({2, 3}, lengths);
  s.forward();
  const Tokens<double> y = s.y;
  s.x[0] = backwards(s.x[0], lengths);
  s.forward();
  CHECK(distance(s.y, y) <= 1e-12);
  s.x[0] = backwards(s.x[0], lengths);
  s.x[0].col(3).array() += 1;  // of the third set
  s.forward();
  for (const Index other : {0, 1, 3, 4}) CHECK(same_bits(s.y.col(other), y.col(other)));
  CHECK(!same_bits(s.y.col(2), y.col(2)));
}

TEST_CASE("PoolingByAttention: empty sets, and none") {
  auto s = pooling<double>(4, 2, 2);
  for (const Lengths& sets : {Lengths{0, 0}, Lengths{}}) {
    s.begin({Index(sets.size())}, sets);
    s.forward();
    CHECK(s.y.allFinite());
    Parameters<double> g(s.layout);
    s.backward(random<double>(s.y.rows(), s.y.cols(), 1), g);
    CHECK(g.flat.allFinite());
    CHECK((g[s.layer.layer.linear.weight].array() == 0).all());
  }
}

TEST_CASE("PoolingByAttention: sets along an axis of their own, y along the axis of the seeds") {
  heed::Layout layout;
  const Axis sets = layout.axis();
  const PoolingByAttention<double> layer(Scope(layout, sets, "pool"), {.dim = 4, .heads = 2, .seeds = 3});
  const heed::Columns<> y = Scope(layout, layer.seeds).columns(4);
  const Parameters<double> p(layout, 1);
  heed::Activations<double> a(layout);
  a.begin(sets, {2, 0, 5});
  layer.begin(a);
  const Tokens<double> x = random<double>(4, 7, 1);
  layer.forward(p, x, a[y], a);
  REQUIRE(a.sequences(layer.seeds).count() == 3);
  CHECK(a[y].cols() == 9);
  CHECK(a[y].allFinite());
  const Tokens<double> whole = a[y];
  a.begin(sets, {5});
  layer.begin(a);
  layer.forward(p, x.rightCols(5), a[y], a);
  CHECK(distance(a[y], whole.rightCols(3)) <= 1e-13);
}

TEST_CASE("PoolingByAttention has names, and seeds of Xavier's size") {
  auto s = pooling<double>(100, 2, 20);
  CHECK(s.layout.entries()[0].name == "seeds");
  CHECK(s.layout.entries()[0].shape == heed::Shape{20, 100});
  CHECK(s.layout.entries()[1].name == "linear.weight");
  CHECK(s.layout.entries()[3].name == "block.attention.in_proj_weight");
  const Parameters<double> p(s.layout, 1);
  CHECK(p[s.layer.layer.queries.weight].cwiseAbs().maxCoeff() == Approx(std::sqrt(6.0 / 120)).epsilon(0.02));
}

TEST_CASE("PoolingByAttention: wrong shapes and numbers") {
  using Layer = PoolingByAttention<double>;
  Rig<double, Layer> s(
      {4}, 4, [](Subject<double>& at) { return Layer(at.at().along(at.source), {.dim = 4, .heads = 2}); }, {}, true);
  s.begin({2}, {1, 3});
  check_shapes(s, "PoolingByAttention", {"x"});
  check_complaint("seeds: size 0 of its shape is 0", [] { pooling<float>(4, 2, 0); });
  check_complaint("dim 10 is not a multiple of heads 4", [] { pooling<float>(10, 4, 1); });
}
