#include "heed/layers/pointer.hpp"

#include "../support.hpp"
#include "heed/distributions/categorical.hpp"

using namespace support;
using heed::Pointer, heed::PointerScore;

namespace {

/// y lies along the entities.
template <class S>
struct Pointing : Rig<S, Pointer<S>, 2> {
  using Base = Rig<S, Pointer<S>, 2>;
  explicit Pointing(typename Pointer<S>::Config c)
      : Base(
            {c.query_dim, c.key_dim}, 1,
            [=](Subject<S>& s) {
              s.axes = {s.time, s.source};
              return Pointer<S>(s.at(), s.source, c);
            },
            {}, true) {}
  void begin(const Lengths& of_time, const Lengths& of_entities) {
    Base::begin(of_time, of_entities);
    this->y.setConstant(1, this->a.columns(this->source), S(-3));
  }
};

std::vector<Pointer<double>::Config> kinds() {
  std::vector<Pointer<double>::Config> all;
  for (const PointerScore score : {PointerScore::dot, PointerScore::additive})
    for (const double clip : {0.0, 1.5}) all.push_back({5, 3, 4, score, clip});
  return all;
}

auto formula(const auto& s, const auto& config) {
  return [&s, config]<class T>(const Values<T>& values) {
    using std::tanh;
    const auto& layer = s.layer;
    const Table<T> q = plain_linear(values, layer.query, values.x[0]), k = plain_linear(values, layer.key, values.x[1]);
    Table<T> y(1, k.cols);
    Index first = 0;
    for (std::size_t t = 0; t < s.source_lengths.size(); first += s.source_lengths[t++])
      for (Index i = first; i < first + s.source_lengths[t]; ++i) {
        for (Index r = 0; r < q.rows; ++r)
          y(0, i) += config.score == PointerScore::dot ? q(r, Index(t)) * k(r, i) / T(std::sqrt((long double)q.rows))
                                                       : values(layer.v, r) * tanh(q(r, Index(t)) + k(r, i));
        if (config.clip > 0) y(0, i) = T((long double)config.clip) * tanh(y(0, i));
      }
    return y;
  };
}

const Lengths entities{0, 1, 3, 130, 2};  // of two sequences of time

}  // namespace

TEST_CASE("Pointer: the scores of attention, dot product and additive, clipped and not") {
  for (const auto& config : kinds()) {
    INFO(int(config.score) << " clip " << config.clip);
    Pointing<double> s(config);
    s.begin({2, 3}, entities);
    check_formula(s, formula(s, config));
    Pointing<float> f({5, 3, 70, config.score, config.clip});
    f.begin({2, 3}, entities);
    check_formula(f, formula(f, config));
  }
}

TEST_CASE("Pointer: gradients") {
  for (const auto& config : kinds()) {
    INFO(int(config.score) << " clip " << config.clip);
    Pointing<double> s(config);
    s.begin({2, 3}, {0, 1, 3, 66, 2});
    check_gradients(s);
    check_targets(s);
    s.begin({2}, {4, 2});
    s.x[0].setZero();
    check_gradients(s);
    s.x[1].setOnes();
    check_gradients(s);
    s.x[0] = saturated<double>(5, 2, 1), s.x[1] = saturated<double>(3, 6, 2);
    check_slopes(s, formula(s, config), 1e4);
  }
}

TEST_CASE("Pointer: each entity has a score of its own, that of its step's query") {
  for (const auto& config : kinds()) {
    Pointing<double> s(config);
    s.begin({2, 2}, {3, 0, 2, 4});
    s.forward();
    const Tokens<double> y = s.y;
    s.x[1].col(0).swap(s.x[1].col(2));
    s.forward();
    CHECK(s.y(0, 0) == Approx(y(0, 2)).epsilon(1e-12));
    CHECK(s.y(0, 2) == Approx(y(0, 0)).epsilon(1e-12));
    CHECK(same_bits(s.y.rightCols(6), y.rightCols(6)));
    s.x[0].col(2) *= 2;  // of the entities 3 and 4
    s.forward();
    for (Index i = 1; i < 9; ++i)
      if (i != 2) CHECK((s.y(0, i) == y(0, i)) == (i != 3 && i != 4));
    if (config.clip > 0) CHECK(s.y.cwiseAbs().maxCoeff() <= config.clip);
  }
}

TEST_CASE("Pointer: a distribution over the entities of a step, its gradients, and masks") {
  using heed::Categorical, heed::column_of;
  Pointing<double> s({5, 3, 4});
  s.begin({2, 1}, {2, 0, 3});
  const heed::SequencesView of = s.a.sequences(s.source);
  Eigen::Matrix<bool, 1, Dynamic> mask(5);
  mask << true, true, true, false, true;
  // ln p of the last entity of the last step, where the one in the middle is not allowed, and a third of the entropy
  const auto loss = [&] {
    s.forward();
    const Categorical<double> choice(s.y, of, 2, mask);
    return Tokens<double>::Constant(1, 1, choice.log_prob(2) + choice.entropy() / 3);
  };
  Tokens<double> y(1, 1);
  const auto report = heed::testing::gradient_check(
      s.layout, s.p, {{"q", s.x[0], s.dx[0]}, {"k", s.x[1], s.dx[1]}}, [&] { return y = loss(); },
      [&](const Tokens<double>& r, Parameters<double>& g) {
        Tokens<double> dy = Tokens<double>::Zero(1, 5);
        const Categorical<double> choice(s.y, of, 2, mask);
        choice.add_log_prob_gradient(2, r(0, 0), column_of(dy, of, 2));
        choice.add_entropy_gradient(r(0, 0) / 3, column_of(dy, of, 2));
        CHECK((dy.leftCols(2).array() == 0).all());
        CHECK(dy(0, 3) == 0);
        s.backward(dy, g);
      });
  INFO(report.worst_name());
  CHECK(report.worst() <= 1e-6);
  check_complaint("there is nothing to choose from in sequence 1", [&] { Categorical<double>(s.y, of, 1); });
}

TEST_CASE("Pointer has names") {
  Pointing<float> s({5, 3, 4, PointerScore::additive}), dot({5, 3, 4});
  std::string all;
  for (const auto& e : s.layout.entries()) all += e.name + " ";
  CHECK(all == "query.weight key.weight v ");
  CHECK(dot.layout.entries().size() == 2);
}

TEST_CASE("Pointer: no entities at all") {
  for (const auto& config : kinds()) {
    Pointing<double> s(config);
    s.begin({2}, {0, 0});
    s.forward();
    Parameters<double> g(s.layout);
    s.backward(Tokens<double>(1, 0), g);
    CHECK((g.flat.array() == 0).all());
    CHECK((s.dx[0].array() == 0).all());
  }
}

TEST_CASE("Pointer: wrong shapes, clips and counts") {
  Pointing<double> s({5, 3, 4});
  s.begin({2}, {1, 3});
  check_shapes(s, "Pointer", {"q", "k"});
  check_complaint("Pointer: clip -1 is not in [0, inf)", [] { Pointing<float>({5, 3, 4, PointerScore::dot, -1}); });
  check_complaint("query.weight: size 0 of its shape is 0", [] { Pointing<float>({5, 3, 0}); });
  s.a.begin(s.time, {2});  // and no entities
  s.x[1].resize(3, 0), s.y.resize(1, 0);
  check_complaint("Pointer: 2 queries, but 0 sequences of entities", [&] { s.forward(); });
}
