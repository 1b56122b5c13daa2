#include "heed/layers/dropout.hpp"

#include "../support.hpp"
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/multi_head_attention.hpp"

using namespace support;
using heed::Dropout;

namespace {

template <class S>
auto dropout(Index dim, double rate) {
  return Rig<S, Dropout<S>>({dim}, dim, [=](Subject<S>& s) { return Dropout<S>(s.at() / "dropout", rate); });
}

auto attention(double rate) {
  return Rig<double, heed::MultiHeadAttention<double>>({4}, 4, [=](Subject<double>& s) {
    return heed::MultiHeadAttention<double>(
        s.at() / "attention", heed::AttentionConfig{.dim = 4, .heads = 2, .memory_tokens = 2, .dropout = rate});
  });
}

}  // namespace

TEST_CASE("Dropout: zero or x / (1 - rate) in training, x in evaluation") {
  auto s = dropout<float>(50, 0.3);
  s.begin({0, 1, 199});
  s.forward();
  CHECK(same_bits(s.y, s.x[0]));
  s.a.mode = {true, 1};
  s.forward();
  Index dropped = 0;
  for (Index i = 0; i < s.y.size(); ++i) {
    const float y = s.y.data()[i];
    dropped += y == 0;
    if (y != 0) CHECK(y == Approx(s.x[0].data()[i] / 0.7f));
  }
  CHECK(std::abs(double(dropped) / double(s.y.size()) - 0.3) < 4 * std::sqrt(0.3 * 0.7 / 10000));  // four deviations
}

TEST_CASE("Dropout: the seed, the name, the row and the column say what is dropped") {
  auto s = dropout<double>(20, 0.5);
  s.begin({40});
  s.x[0].setOnes();
  const auto draw = [&](std::uint64_t seed) {
    s.a.mode = {true, seed};
    s.forward();
    return s.y;
  };
  const Tokens<double> first = draw(1);
  CHECK(same_bits(first, draw(1)));
  const auto agree = [&](const Tokens<double>& other) {
    return double((first.array() == other.array()).count()) / double(first.size());
  };
  CHECK(std::abs(agree(draw(2)) - 0.5) < 0.08);  // 800 numbers: four deviations are 0.07
  draw(1);
  CHECK(std::abs(agree(first.rowwise().reverse()) - 0.5) < 0.08);
  CHECK(std::abs(agree(first.colwise().reverse()) - 0.5) < 0.08);
  Tokens<double> other(20, 40);
  Dropout<double>(s.at() / "other", 0.5).forward(s.x[0], other, s.a);
  CHECK(std::abs(agree(other) - 0.5) < 0.08);
}

TEST_CASE("Dropout: gradients, and in place") {
  for (const bool training : {false, true})
    for (const double rate : {0.0, 0.4}) {
      auto s = dropout<double>(5, rate);
      s.begin({0, 1, 6});
      s.a.mode = {training, 3};
      check_gradients(s);
      check_targets(s);
      s.forward();
      Tokens<double> x = s.x[0];
      s.layer.forward(x, x, s.a);
      CHECK(same_bits(x, s.y));
      Tokens<double> dx = s.x[0];
      s.layer.backward(dx, s.a, dx);
      CHECK(same_bits(dx, s.y));
    }
}

TEST_CASE("dropout of attention weights: gradients, and the expectation is attention") {
  auto s = attention(0.3), whole = attention(0);
  s.begin({0, 1, 5}), whole.begin({0, 1, 5});
  whole.p.flat = s.p.flat;
  s.a.mode = {true, 7};
  check_gradients(s);
  whole.forward();
  Tokens<double> mean = Tokens<double>::Zero(4, 6), square = mean;
  constexpr int draws = 4000;
  for (int i = 0; i < draws; ++i) {
    s.a.mode.seed = std::uint64_t(i);
    s.forward();
    mean += s.y / draws;
    square += s.y.cwiseAbs2() / draws;
  }
  const Tokens<double> deviation = ((square - mean.cwiseAbs2()).cwiseMax(0) / draws).cwiseSqrt();
  CHECK(deviation.minCoeff() > 0);
  CHECK(((mean - whole.y).array().abs() < 5 * deviation.array()).all());
  s.a.mode = {};
  s.forward();
  CHECK(same_bits(s.y, whole.y));
}

TEST_CASE("dropout of attention weights: the same piece by piece as in the whole") {
  for (const heed::Mask& mask :
       {heed::Mask(heed::Causal()), heed::Mask(heed::Strided(3)), heed::Mask(heed::Window(4))}) {
    Rig<double, heed::MultiHeadAttention<double>> s({4}, 4, [=](Subject<double>& at) {
      return heed::MultiHeadAttention<double>(
          at.at() / "attention",
          heed::AttentionConfig{.dim = 4, .heads = 2, .mask = mask, .memory_tokens = 2, .dropout = 0.4});
    });
    s.a.mode = {true, 7};
    check_extend(s, {.columns = 60, .chunk = 5});
  }
}

TEST_CASE("Dropout: wrong shapes and rates") {
  auto s = dropout<double>(4, 0.5);
  s.begin({2, 3});
  Tokens<double> more(4, 6), other(3, 5);
  Parameters<double> g(s.layout);
  check_complaint("Dropout: x is 4 x 6, but 4 x 5 is needed", [&] { s.layer.forward(more, more, s.a); });
  check_complaint("Dropout: y is 3 x 5, but 4 x 5 is needed", [&] { s.layer.forward(s.x[0], other, s.a); });
  check_complaint("Dropout: dy is 4 x 6, but 4 x 5 is needed", [&] { s.layer.backward(more, s.a, more); });
  check_complaint("Dropout: dx is 3 x 5, but 4 x 5 is needed", [&] { s.layer.backward(s.x[0], s.a, other); });
  check_complaint("Dropout: rate 1 is not in [0, 1)", [] { dropout<float>(4, 1); });
  check_complaint("Dropout: rate -0.1 is not in [0, 1)", [] { dropout<float>(4, -0.1); });
  check_complaint("DotProductAttention: dropout 1.5 is not in [0, 1)", [] { attention(1.5); });
}
