#pragma once
#include <cmath>
#include <limits>

#include "heed/detail/elementwise.hpp"
#include "heed/detail/segments.hpp"

namespace heed {

/// Adam (Kingma and Ba 2015, algorithm 1); with a weight decay AdamW (Loshchilov and Hutter 2019, algorithm 2), as
/// PyTorch's:
///
///   m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g^2    m^ = m / (1 - b1^t)    v^ = v / (1 - b2^t)
///   p = (1 - eta lambda) p - eta m^ / (sqrt(v^) + epsilon)
///
///   p, g, m, v: flat vectors    t: the number of this step, from 1    eta: learning rate    lambda: weight decay, where
///   weights decay
///
/// Weights that are not trained, or frozen, stay as they are. Between steps `config` may be changed; no step allocates. Errors: vectors of
/// another size than the layout's, numbers of the configuration out of range.
template <class S>
class Adam {
 public:
  /// Hyper-parameters; all may be changed between steps.
  struct Config {
    double learning_rate = 1e-3;  ///< alpha
    double beta1 = 0.9;           ///< how much of the mean gradient stays
    double beta2 = 0.999;         ///< how much of the mean square stays
    double epsilon = 1e-8;        ///< added to the root of the mean square
    double weight_decay = 0;      ///< of matrices, apart from the gradient: AdamW
  };
  Config config;                      ///< may be changed between steps
  Eigen::Matrix<S, Dynamic, 1> m, v;  ///< mean gradient and mean square
  Index t = 0;                        ///< steps so far

  /// For all weights of the layout.
  explicit Adam(const Layout& layout, const Config& c = {}) : Adam(detail::Segments("Adam", layout), c) {}
  /// For these stretches of the flat vector.
  explicit Adam(std::vector<Segment> segments, const Config& c = {})
      : Adam(detail::Segments("Adam", std::move(segments)), c) {}

  /// Changes the weights p, by their gradient g; both as long as the layout's flat vector.
  void step(Write<S> p, Read<S> g) {
    detail::expect_shape("Adam", "p", p, segments_.size(), 1);
    detail::expect_shape("Adam", "g", g, segments_.size(), 1);
    check();
    ++t;
    const S b1 = S(config.beta1), c1 = S(1 - config.beta1), b2 = S(config.beta2), c2 = S(1 - config.beta2);
    const S eta = S(config.learning_rate / (1 - std::pow(config.beta1, double(t))));
    const S root = S(1 / std::sqrt(1 - std::pow(config.beta2, double(t))));  // sqrt(v^) = root sqrt(v)
    const S epsilon = S(config.epsilon), keep = S(1 - config.learning_rate * config.weight_decay);
    segments_.for_each_block([&](Index offset, Index size, bool decays) {
      const S kept = decays ? keep : S(1);
      const auto update = [=](auto&& p1, auto&& m1, auto&& v1, const auto& p0, const auto& m0, const auto& v0,
                              const auto& gi) {
        using std::sqrt;
        const auto vi = b2 * v0 + c2 * (gi * gi), spread = root * sqrt(vi) + epsilon;
        const auto mi = b1 * m0 + c1 * gi;
        p1 = kept * p0 - eta * mi / spread;
        m1 = mi, v1 = vi;
      };
      // The same numbers, written and read.
      S *const pi = p.data() + offset, *const mi = m.data() + offset, *const vi = v.data() + offset;
      const S *const p0 = pi, *const m0 = mi, *const v0 = vi;
      detail::each_part<S>(size, update, pi, mi, vi, p0, m0, v0, g.data() + offset);
    });
  }

  template <class Fields>
  void fields(Fields& f) {
    f("t", t);
    f("m", m);
    f("v", v);
  }

 private:
  Adam(detail::Segments segments, const Config& c) : config(c), segments_(std::move(segments)) {
    check();
    m.setZero(segments_.size());
    v.setZero(segments_.size());
  }
  void check() const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    detail::expect_within("Adam", "learning_rate", config.learning_rate, 0, infinity);
    detail::expect_within("Adam", "beta1", config.beta1, 0, 1);
    detail::expect_within("Adam", "beta2", config.beta2, 0, 1);
    detail::expect_within("Adam", "epsilon", config.epsilon, double(std::numeric_limits<S>::min()), infinity);
    detail::expect_within("Adam", "weight_decay", config.weight_decay, 0, infinity);
  }
  detail::Segments segments_;
};

}  // namespace heed
