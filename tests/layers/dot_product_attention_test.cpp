#include "heed/layers/dot_product_attention.hpp"

#include "../support.hpp"

using namespace support;
using heed::DotProductAttention;

namespace {

/// q, k: dim, v: value_dim; the keys along time, as the queries, or along source.
template <class S>
auto attention(Index dim, Index value_dim, Index heads, const NamedMask& mask, bool own_keys = true) {
  return Rig<S, DotProductAttention<S>, 3>({dim, dim, value_dim}, value_dim, [=](Subject<S>& s) {
    s.axes = {s.time, own_keys ? s.source : s.time, own_keys ? s.source : s.time};
    return DotProductAttention<S>(s.at(), s.axes[1],
                                  {.dim = dim, .value_dim = value_dim, .heads = heads, .mask = mask.mask});
  });
}

auto formula(const auto& subject, Index heads, const NamedMask& mask) {
  return [&subject, heads, mask](const auto& values) {
    return plain_attention(values.x[0], values.x[1], values.x[2], heads, mask, subject.time_lengths,
                           subject.axes[1] == subject.time ? subject.time_lengths : subject.source_lengths);
  };
}

/// Gradients along random directions: of wide heads each number by itself would take minutes.
void check_directions(Subject<double>& s) {
  constexpr Index directions = 4;
  const auto start = s.x;
  std::vector<Tokens<double>> along;
  for (Index i = 0; i < 3 * directions; ++i) {
    const auto& x = start[std::size_t(i / directions)];
    along.push_back(random<double>(x.rows(), x.cols(), std::uint64_t(20 + i)));
  }
  Tokens<double> steps = Tokens<double>::Zero(directions, 3), slopes = steps;
  const auto each = [&](auto what) {
    for (Index i = 0; i < 3; ++i)
      for (Index k = 0; k < directions; ++k) what(std::size_t(i), along[std::size_t(i * directions + k)], k);
  };
  const auto forward = [&]() -> const Tokens<double>& {
    s.x = start;
    each([&](std::size_t i, const Tokens<double>& d, Index k) { s.x[i] += steps(k, Index(i)) * d; });
    s.forward();
    return s.y;
  };
  const auto backward = [&](const Tokens<double>& dy, Parameters<double>& g) {
    s.backward(dy, g);
    each([&](std::size_t i, const Tokens<double>& d, Index k) { slopes(k, Index(i)) = s.dx[i].cwiseProduct(d).sum(); });
  };
  const auto report = heed::testing::gradient_check(
      s.layout, s.p,
      {{"q", steps.col(0), slopes.col(0)}, {"k", steps.col(1), slopes.col(1)}, {"v", steps.col(2), slopes.col(2)}},
      forward, backward);
  for (const auto& row : report.rows) {
    INFO(row.name);
    CHECK(row.error <= 1e-6);
  }
}

const Lengths queries{0, 1, 3, 2, 40, 70}, keys{2, 3, 0, 1, 150, 5};

}  // namespace

TEST_CASE("DotProductAttention is V softmax(K' Q / sqrt(E))") {
  for (const NamedMask& mask : {full(), causal(), window(1), window(3), window(20)}) {
    INFO(mask.name);
    auto s = attention<double>(4, 6, 2, mask);
    s.begin(queries, keys);
    check_formula(s, formula(s, 2, mask));
    auto f = attention<float>(12, 4, 4, mask, false);
    f.begin({0, 1, 3, 90});
    check_formula(f, formula(f, 4, mask));
  }
}

TEST_CASE("DotProductAttention: gradients") {
  for (const NamedMask& mask : masks())
    for (const Index heads : {1, 2}) {
      INFO(mask.name << ", heads " << heads);
      auto s = attention<double>(4, 6, heads, mask);
      s.begin({0, 1, 3, 2, 5}, {2, 3, 0, 1, 4});
      check_gradients(s);
      check_targets(s);
      s.x[0].setZero();
      check_gradients(s);
      s.x[1].setOnes(), s.x[2].setOnes();
      check_gradients(s);
      auto same_axis = attention<double>(4, 6, heads, mask, false);
      same_axis.begin({0, 1, 6});
      check_gradients(same_axis);
    }
}

TEST_CASE("DotProductAttention: gradients of one source") {
  for (const NamedMask& mask : {full(), causal()})
    for (const bool add_first : {false, true}) {
      INFO(mask.name << ", the first added " << add_first);
      auto s = attention<double>(4, 4, 2, mask, false);
      s.begin({0, 1, 5, 40});
      s.forward();
      Parameters<double> g(s.layout);
      const Tokens<double> dy = random<double>(4, 46, 5);
      s.backward(dy, g);
      const Tokens<double> before = random<double>(4, 46, 6);
      Tokens<double> dx = before, expected = s.dx[0] + s.dx[1] + s.dx[2];
      if (add_first) expected += before;
      const heed::Gradient<double> first =
          add_first ? heed::Gradient<double>(heed::add_to(dx)) : heed::Gradient<double>(dx);
      s.layer.backward(s.p, s.x[0], s.x[1], s.x[2], s.y, dy, s.a, g, first, heed::add_to(dx), heed::add_to(dx));
      CHECK(dx.isApprox(expected, 1e-12));
    }
}

TEST_CASE("DotProductAttention: gradients over several tiles of queries and keys") {
  for (const NamedMask& mask : {full(), causal(), window(40)}) {
    INFO(mask.name);
    auto s = attention<double>(2, 2, 1, mask);
    s.begin({34, 1}, {130, 66});
    check_gradients(s);
    s.begin({70}, {9});
    check_gradients(s);
  }
}

TEST_CASE("DotProductAttention: heads that are too wide to be laid side by side") {
  for (const auto& [width, value_width] : {std::pair<Index, Index>{130, 3}, {3, 130}, {130, 130}, {128, 129}, {64, 65}})
    for (const NamedMask& mask : masks()) {
      INFO(mask.name << ", heads of " << width << " and " << value_width);
      auto s = attention<double>(3 * width, 3 * value_width, 3, mask, false);
      s.begin({0, 1, 5, 10, 45, 70});
      check_formula(s, formula(s, 3, mask));
      auto f = attention<float>(3 * width, 3 * value_width, 3, mask, false);
      f.begin({0, 1, 5, 10, 45, 70});
      check_formula(f, formula(f, 3, mask));
      s.begin({5});
      check_gradients(s);
    }
  auto tiles = attention<double>(1, 130, 1, full());
  tiles.begin({3}, {70});
  check_gradients(tiles);
}

TEST_CASE("DotProductAttention: heads of 4 to 128 numbers") {
  for (const Index size : {4, 5, 8, 12, 16, 20, 24, 31, 32, 48, 64, 96, 128})
    for (const NamedMask& mask : {full(), causal()}) {
      INFO(mask.name << ", heads of " << size);
      auto s = attention<double>(2 * size, 2 * size, 2, mask, false);
      s.begin({0, 1, 3, 17});
      check_formula(s, formula(s, 2, mask));
      check_directions(s);
    }
}

TEST_CASE("DotProductAttention: a query or few of heads that lie side by side in registers") {
  const auto act = [](auto& s, const Lengths& source) {
    Lanes lanes(s, 6, {.columns = 140, .chunk = 140});
    lanes.step({1, 3, 60, 63, 64, 130}, source.empty() ? source : Lengths{1, 3, 60, 63, 64, 130});
    for (const Lengths& time : {Lengths{1, 1, 1, 1, 1, 1}, {2, 0, 3, 4, 1, 5}, {1, 4, 2, 1, 3, 2}})
      lanes.step(time, source);
  };
  for (const Index size : {2, 4, 8, 16})
    for (const Index heads : {1, 2, 4, 6, 12})
      for (const NamedMask& mask : masks()) {
        INFO(mask.name << ", " << heads << " heads of " << size);
        auto s = attention<double>(heads * size, heads * size, heads, mask, false);
        act(s, {});
        auto f = attention<float>(heads * size, heads * size, heads, mask, false);
        act(f, {});
        auto own = attention<float>(heads * size, heads * size, heads, mask);
        act(own, {0, 1, 2, 0, 0, 1});
      }
  for (const Index size : {2, 4, 8})
    for (const NamedMask& mask : {full(), causal(), window(3)}) {
      INFO(mask.name << ", heads of " << size);
      auto same = attention<double>(24, 24, 24 / size, mask, false);
      check_extend(same, {.columns = 60, .chunk = 5});
    }
}

TEMPLATE_TEST_CASE("DotProductAttention: weights sum to one however high scores are", "", float, double) {
  using S = TestType;
  for (const Index size : {4, 8, 16})
    for (const S high : {S(1), S(1e2), S(1e4), S(1e8)})
      for (const Index asked : {1, 2, 4}) {
        INFO("heads of " << size << ", " << asked << " queries, " << high);
        auto s = attention<S>(4 * size, 4 * size, 4, full(), false);
        const auto fill = [&](Index columns, std::uint64_t seed) {
          s.begin({columns}, {}, seed);
          s.x[0] *= high, s.x[1] *= high, s.x[2].setOnes();
        };
        heed::Memory<S> m(s.layout, 1, 80);
        fill(70, 1);
        s.extend(m);
        m.advance();
        fill(asked, 100);
        s.extend(m);
        CHECK((s.y.array() - 1).abs().maxCoeff() <= S(1e-5));

        auto of = attention<S>(4 * size, 4 * size, 4, full());
        of.begin({asked}, {20});
        of.x[0] *= high, of.x[1] *= high;
        of.forward();
        Tokens<S> w(20, asked), sum = Tokens<S>::Zero(4, 20);
        for (Index head = 0; head < 4; ++head) {
          of.layer.weights(of.p, of.x[0], of.x[1], of.a, 0, head, w);
          CHECK((w.colwise().sum().array() - 1).abs().maxCoeff() <= S(1e-5));
          sum.row(head) = w.rowwise().sum().transpose();
        }
        Parameters<S> g(of.layout);
        of.backward(Tokens<S>::Ones(4 * size, asked), g);  // dv: the sums of the weights
        for (Index head = 0; head < 4; ++head)
          CHECK(of.dx[2].middleRows(head * size, size).isApprox(sum.row(head).replicate(size, 1), S(1e-5)));
      }
}

TEST_CASE("DotProductAttention: weights are unknown after what is remembered was seen") {
  for (const Index asked : {1, 3, 6})
    for (const Index heads : {1, 4})  // of 8 numbers, side by side with wide registers, and of 32
      for (const bool own_keys : {false, true})
        for (const NamedMask& mask : {full(), causal(), window(1), window(2), window(7)}) {
          INFO(asked << " queries, " << heads << " heads, " << mask.name << " back " << mask.back << ", " << own_keys);
          auto s = attention<float>(32, 32, heads, mask, own_keys);
          heed::Memory<float> m(s.layout, 1, heed::Capacity{.columns = 16, .chunk = 6});
          Tokens<float> w(asked, asked);
          const auto act = [&](std::uint64_t seed) {
            s.begin({asked}, {asked}, seed);
            s.a[s.layer.lse].setConstant(1e4f);
            s.extend(m);
            m.advance();
            s.layer.weights(s.p, s.x[0], s.x[1], s.a, 0, heads - 1, w);
          };
          act(1);
          CHECK((w.colwise().sum().array() - 1).abs().maxCoeff() <= 1e-5f);
          act(2);
          if (mask.back == 0)  // each query sees what came with it alone
            CHECK((w.colwise().sum().array() - 1).abs().maxCoeff() <= 1e-5f);
          else
            CHECK(std::isnan(w.sum()));
        }
}

TEST_CASE("DotProductAttention: huge queries, keys and values") {
  for (const NamedMask& mask : masks()) {
    auto s = attention<double>(4, 4, 2, mask);
    s.begin({0, 1, 5}, {2, 3, 6});
    for (std::size_t i = 0; i < 3; ++i) s.x[i] = saturated<double>(4, s.x[i].cols(), i + 1);
    check_slopes(s, formula(s, 2, mask));
    s.x[1].col(7) = s.x[1].col(8);  // two highest scores
    s.x[0] = s.x[1].col(7).replicate(1, 6).eval();
    check_slopes(s, formula(s, 2, mask));
    auto f = attention<float>(4, 4, 2, mask);
    f.begin({0, 1, 5}, {2, 3, 6});
    for (std::size_t i = 0; i < 3; ++i) f.x[i] = saturated<float>(4, f.x[i].cols(), i + 1);
    check_formula(f, formula(f, 2, mask));
  }
}

TEST_CASE("DotProductAttention: of the highest of high scores nothing is lost") {
  for (const float high : {1e2f, 1e4f, 1e6f, 1e15f}) {  // scores of high^2 and more
    auto s = attention<float>(8, 8, 2, {});
    s.begin({1, 20}, {1, 3});
    for (std::size_t i = 0; i < 3; ++i) s.x[i] = random<float>(8, s.x[i].cols(), i);
    s.x[0].array() = high;
    s.x[1].array() = high;
    s.x[1].middleCols(2, 2) *= -1;
    s.forward();
    const Tokens<float> dy = random<float>(8, 21, 5);
    Parameters<float> g(s.layout);
    s.backward(dy, g);
    const std::vector<Index> asked{1, 20}, known{1, 3};
    for (Index i = 0, q = 0, k = 0; i < 2; q += asked[std::size_t(i)], k += known[std::size_t(i)], ++i) {
      const Index n = asked[std::size_t(i)];
      for (Index head = 0; head < 2; ++head) {
        Tokens<float> w(known[std::size_t(i)], n);
        s.layer.weights(s.p, s.x[0], s.x[1], s.a, i, head, w);
        CHECK(w.row(0) == Tokens<float>::Ones(1, n));
        CHECK(w.bottomRows(w.rows() - 1).isZero(0));
      }
      CHECK(s.y.middleCols(q, n) == s.x[2].col(k).replicate(1, n));
      CHECK(s.dx[2].col(k).isApprox(dy.middleCols(q, n).rowwise().sum(), 1e-5f));
    }
  }
}

TEST_CASE("DotProductAttention: weights sum to one over the keys in sight") {
  for (const NamedMask& mask : masks()) {
    auto s = attention<double>(4, 6, 2, mask);
    s.begin(queries, keys);
    s.forward();
    const Values<long double> values(s);
    Index q = 0, k = 0;
    for (std::size_t i = 0; i < queries.size(); q += queries[i], k += keys[i], ++i)
      for (const Index head : {0, 1}) {
        INFO(mask.name << ", sequence " << i << ", head " << head);
        Tokens<double> w = Tokens<double>::Constant(keys[i], queries[i], -3);
        s.layer.weights(s.p, s.x[0], s.x[1], s.a, Index(i), head, w);
        check_weights(w, plain_weights(values.x[0], values.x[1], 2, head, mask, q, queries[i], k, keys[i]), mask);
      }
  }
}

TEST_CASE("DotProductAttention: a query that sees no key answers zero, with zero gradient") {
  auto s = attention<double>(4, 4, 2, window(2));
  check_blind(s);
}

TEST_CASE("DotProductAttention: nothing leaks") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto s = attention<float>(4, 4, 2, mask);
    s.begin({0, 1, 4, 2}, {2, 3, 5, 0});
    check_sight(s, mask);
  }
  auto wide = attention<float>(2, 2, 1, causal());
  wide.begin({40}, {70});
  check_sight(wide, causal());
}

TEST_CASE("DotProductAttention: extend") {
  for (const NamedMask& mask : masks()) {
    INFO(mask.name);
    auto own = attention<double>(4, 6, 2, mask, true), same = attention<double>(4, 6, 2, mask, false);
    check_extend(own, {.columns = 60, .chunk = 5});
    check_extend(same, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("DotProductAttention: wrong shapes and counts") {
  auto s = attention<double>(4, 6, 2, causal());
  heed::Memory<double> m(s.layout, 2, 8);
  check_attention_complaints(s, "DotProductAttention", m, [&](Index sequence, Index head, Tokens<double>& w) {
    s.layer.weights(s.p, s.x[0], s.x[1], s.a, sequence, head, w);
  });
  check_complaint("dim 6 and value dim 8 must be multiples of heads 4", [] { attention<double>(6, 8, 4, full()); });
  check_complaint("dim 8 and value dim 6 must be multiples of heads 4", [] { attention<double>(8, 6, 4, full()); });
  check_complaint("must be multiples of heads 0", [] { attention<double>(8, 6, 0, full()); });
}
