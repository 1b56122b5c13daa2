#pragma once
// What the tests against PyTorch share: random draws, the same numbers on both sides, and the comparison of the results.

#include "torch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <heed/core/activations.hpp>
#include <heed/core/masks.hpp>
#include <heed/core/parameters.hpp>

namespace parity {

using heed::Index;
using heed::Sequences;
using heed::Tokens;
using torch::Tensor;

inline constexpr int draws = 30;  // of each test

/// Agreement that is asked for: |heed - PyTorch| / |PyTorch|, in Euclidean norm over a whole matrix.
template <class S>
inline constexpr double tolerance = std::is_same_v<S, float> ? 1e-5 : 1e-10;

/// 1, or what the environment variable HEED_PARITY_SEED says. Printed, so that a failure can be repeated.
inline std::uint64_t seed() {
  static const std::uint64_t chosen = [] {
    const char* said = std::getenv("HEED_PARITY_SEED");
    const unsigned long long value = said && *said ? std::strtoull(said, nullptr, 10) : 1;
    std::printf("HEED_PARITY_SEED=%llu\n", value);
    torch::set_num_threads(1);
    return std::uint64_t(value);
  }();
  return chosen;
}

template <class S>
torch::Dtype dtype() {
  return std::is_same_v<S, float> ? torch::kFloat : torch::kDouble;
}

/// Columns of tokens as PyTorch's [tokens, features]: the same bytes.
template <class S>
Tensor tensor(const Tokens<S>& x) {
  return torch::from_blob(const_cast<S*>(x.data()), {x.cols(), x.rows()}, dtype<S>()).clone();
}

/// The tokens of one sequence.
inline Tensor tokens_of(const Tensor& x, const Sequences& s, Index i) { return x.narrow(0, s.first(i), s.length(i)); }

// Random draws ------------------------------------------------------------------------------------------------------------

class Draw : public heed::Random {
 public:
  using Random::Random;
  Index between(Index low, Index high) { return low + below(high - low + 1); }
  /// A feature size: from 1 on in double, from 6 in float, where a gradient of one or two numbers may happen to cancel
  /// until little but rounding is left.
  template <class S>
  Index size(Index high) {
    return between(std::is_same_v<S, float> ? 6 : 1, high);
  }
  template <class S>
  Index size_of_heads(Index heads) {
    return std::max(heads * size<S>(12), Index(2));
  }
  bool coin() { return below(2) == 1; }
  template <class M>
  void fill(M&& m, double scale = 1) {
    for (Index j = 0; j < m.cols(); ++j)
      for (Index i = 0; i < m.rows(); ++i) m(i, j) = typename std::decay_t<M>::Scalar(scale * normal());
  }
  template <class S>
  Tokens<S> tokens(Index rows, Index columns, double scale = 1) {
    Tokens<S> x(rows, columns);
    fill(x, scale);
    return x;
  }
  /// None, one, a few or many tokens; many is more than any blocking inside the library.
  Index length() {
    const Index kind = below(12);
    return kind < 2 ? 0 : kind < 4 ? 1 : kind < 11 ? between(2, 12) : between(40, 150);
  }
  /// A ragged batch. Its first sequence is not so short that a gradient could be zero but for rounding.
  Sequences lengths(Index count) {
    Sequences s;
    s.append(between(6, 12));
    while (s.count() < count) s.append(length());
    return s;
  }
};

/// An input on both sides, and the gradient that heed finds for it.
template <class S>
struct Variable {
  Tokens<S> value, gradient;
  Tensor tensor;

  Variable(Draw& draw, Index rows, Index columns, double scale = 1)
      : value(draw.tokens<S>(rows, columns, scale)),
        gradient(Tokens<S>::Constant(rows, columns, std::numeric_limits<S>::quiet_NaN())),
        tensor(parity::tensor(value).requires_grad_()) {}
};

// Masks and ragged batches, as PyTorch takes them -------------------------------------------------------------------------

/// A mask of heed, and the definition that it is held against: a query sees the keys from `behind` before to `ahead` after.
struct Sight {
  heed::Mask mask;
  Index behind = 1000000, ahead = 1000000;

  static Sight draw(Draw& draw, Index least_window = 1) {
    const Index width = draw.between(least_window, 9), ahead = draw.between(1, 5);
    switch (draw.below(4)) {
      case 0: return {heed::Full()};
      case 1: return {heed::Causal(), 1000000, 0};
      case 2: return {heed::Window(width), width - 1, 0};
      default: return {heed::Mask{width - 1, ahead}, width - 1, ahead};
    }
  }
  bool sees(Index query, Index key) const { return key >= query - behind && key <= query + ahead; }

  /// [queries, keys]: 0 where a query sees, otherwise -inf.
  Tensor bias(Index queries, Index keys, torch::Dtype type) const {
    Tensor all = torch::zeros({queries, keys}, torch::kDouble);
    for (Index i = 0; i < queries; ++i)
      for (Index j = 0; j < keys; ++j)
        if (!sees(i, j)) all.data_ptr<double>()[i * keys + j] = -std::numeric_limits<double>::infinity();
    return all.to(type);
  }
  /// The queries that see anything at all: for the others PyTorch answers NaN.
  Tensor seeing(Index queries, Index keys) const {
    std::vector<std::int64_t> all;
    for (Index i = 0; i < queries; ++i)
      for (Index j = 0; j < keys; ++j)
        if (sees(i, j)) {
          all.push_back(i);
          break;
        }
    return torch::tensor(all, torch::kLong);
  }
};

/// Each sequence of queries with its sequence of keys: attend(q, i, bias) is called for the queries that see something,
/// and a query that sees nothing answers `blind`, a vector.
template <class Attend>
Tensor each_pair(const Tensor& q, const Sequences& queries, const Sequences& keys, const Sight& sight,
                 const Tensor& blind, Attend attend) {
  std::vector<Tensor> all;
  for (Index i = 0; i < queries.count(); ++i) {
    Tensor y = blind.expand({queries.length(i), blind.size(0)});
    const Tensor seeing = sight.seeing(queries.length(i), keys.length(i));
    if (seeing.numel() > 0) {
      const Tensor bias = sight.bias(queries.length(i), keys.length(i), q.scalar_type()).index_select(0, seeing);
      y = y.index_copy(0, seeing, attend(tokens_of(q, queries, i).index_select(0, seeing), i, bias));
    }
    all.push_back(y);
  }
  return torch::cat(all);
}

/// A ragged batch through f(x [time, batch, features], bias [time, time], padding [batch, time]): one sequence after the
/// other, or all at once, padded. (Not where a window hides all but padding from the queries of the padding: PyTorch
/// answers them with NaN, and its backward pass spreads that to all weights.)
template <class F>
Tensor ragged(const Tensor& x, const Sequences& s, const Sight& sight, bool at_once, F f) {
  Index longest = 0, batch = 0;
  std::vector<Tensor> alone;
  std::vector<std::int64_t> places, filled;
  for (Index i = 0; i < s.count(); ++i) longest = std::max(longest, s.length(i)), batch += s.length(i) > 0;
  at_once = at_once && sight.behind >= longest;
  for (Index i = 0, n = 0; i < s.count(); ++i) {
    if (s.length(i) == 0) continue;
    for (Index t = 0; t < s.length(i); ++t) places.push_back(t * batch + n), filled.push_back(n * longest + t);
    ++n;
    if (at_once) continue;
    const Tensor bias = sight.bias(s.length(i), s.length(i), x.scalar_type());
    alone.push_back(f(tokens_of(x, s, i).unsqueeze(1), bias, Tensor()).squeeze(1));
  }
  if (!at_once) return torch::cat(alone);
  const Tensor place = torch::tensor(places, torch::kLong);
  const Tensor padded = torch::zeros({longest * batch, x.size(1)}, x.options()).index_copy(0, place, x);
  const Tensor padding =
      torch::ones({batch * longest}, torch::kBool).index_fill(0, torch::tensor(filled, torch::kLong), 0);
  const Tensor y = f(padded.view({longest, batch, x.size(1)}), sight.bias(longest, longest, x.scalar_type()),
                     padding.view({batch, longest}));
  return y.reshape({longest * batch, y.size(2)}).index_select(0, place);
}

// The comparison ----------------------------------------------------------------------------------------------------------

/// One layer in one precision: counts its draws and keeps the worst error, which is printed at the end.
template <class S>
class Comparison {
 public:
  Draw draw;
  int drawn = 0;

  explicit Comparison(const char* what) : draw(seed(), what), what_(what) {}
  ~Comparison() {
    std::printf("%s - %s: %d draws, worst error %.2g of %g (%s)\n", what_,
                std::is_same_v<S, float> ? "float" : "double", drawn, worst_, tolerance<S>, worst_name_.c_str());
  }

  /// What heed computed and what PyTorch did, number by number in the order they lie in memory.
  template <class Ours>
  void compare(const std::string& name, const Ours& ours, const Tensor& theirs) {
    const Tensor flat = theirs.detach().to(torch::kDouble).contiguous();
    INFO(what_ << ", draw " << drawn << ", HEED_PARITY_SEED=" << seed() << ": " << name);
    REQUIRE(flat.numel() == ours.size());
    if (ours.size() == 0) return;
    const Eigen::Map<const Eigen::VectorXd> expected(flat.data_ptr<double>(), ours.size());
    const double difference = (ours.template cast<double>().reshaped() - expected).norm();
    const double error = difference == 0 ? 0 : difference / expected.norm();
    if (!(error <= worst_) && !std::isnan(worst_)) worst_ = error, worst_name_ = name;
    CHECK(error <= tolerance<S>);
  }
  /// Tokens: the sizes must agree, too.
  void compare_tokens(const std::string& name, const Tokens<S>& ours, const Tensor& theirs) {
    REQUIRE(theirs.dim() == 2);
    REQUIRE(theirs.size(0) == ours.cols());
    REQUIRE(theirs.size(1) == ours.rows());
    compare(name, ours, theirs);
  }

 private:
  const char* what_;
  double worst_ = 0;
  std::string worst_name_ = "nothing";
};

/// One draw of a layer that has been built in `layout`: random weights on both sides, by PyTorch's names.
template <class S>
class Trial {
 public:
  heed::Layout layout;
  heed::Parameters<S> p, g;
  heed::Activations<S> a;

  Trial(Comparison<S>& comparison, const heed::Layout& layout_)
      : layout(layout_), p(layout), g(layout), a(layout), comparison_(comparison) {
    ++comparison.drawn;
    for (const heed::Entry& e : layout.entries())
      comparison.draw.fill(p.flat.segment(e.offset, e.size()),
                           1 / std::sqrt(double(e.shape.rank() == 1 ? e.size() : e.shape.cols())));
    for (const heed::Entry& e : layout.entries()) {
      std::vector<std::int64_t> sizes;
      for (int i = 0; i < e.shape.rank(); ++i) sizes.push_back(e.shape[i]);
      weights_[e.name] = torch::from_blob(p.flat.data() + e.offset, sizes, dtype<S>()).clone().requires_grad_();
    }
  }

  /// Gives the module heed's weights. Each name must be on both sides, with the same shape.
  void load(torch::nn::Module& module) {
    module.to(dtype<S>());
    module.eval();
    std::set<std::string> ours, theirs;
    for (const auto& [name, weight] : weights_) ours.insert(name);
    for (const auto& item : module.named_parameters()) theirs.insert(item.key());
    REQUIRE(ours == theirs);
    const torch::NoGradGuard no_gradient;
    for (auto& item : module.named_parameters()) {
      INFO(item.key());
      REQUIRE(item.value().sizes() == weights_[item.key()].sizes());
      item.value().copy_(weights_[item.key()]);
      weights_[item.key()] = item.value();
    }
  }
  /// A weight by its name, for what PyTorch has no module for.
  const Tensor& operator[](const std::string& name) const { return weights_.at(name); }

  /// Compares the outputs, and after PyTorch's own backward pass the gradient of each weight and of each input.
  void compare(const Tokens<S>& y, const Tokens<S>& dy, const Tensor& expected,
               std::initializer_list<std::pair<const char*, const Variable<S>*>> inputs) {
    comparison_.compare_tokens("y", y, expected);
    expected.backward(tensor(dy));
    for (const auto& [name, input] : inputs)
      comparison_.compare_tokens(std::string("gradient of ") + name, input->gradient, input->tensor.grad());
    for (const heed::Entry& e : layout.entries()) {
      INFO("a gradient for " << e.name);
      REQUIRE(weights_[e.name].grad().defined());
      comparison_.compare("gradient of " + e.name, g.flat.segment(e.offset, e.size()), weights_[e.name].grad());
    }
  }

 private:
  Comparison<S>& comparison_;
  std::map<std::string, Tensor> weights_;
};

}  // namespace parity
