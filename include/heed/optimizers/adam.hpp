#pragma once
#include <cmath>
#include <limits>

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
/// Untrained weights stay as they are. Between steps `config` may be changed; no step allocates. Errors: vectors of
/// another size than the layout's, numbers of the configuration out of range.
template <class S>
class Adam {
 public:
  struct Config {
    double learning_rate = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
  };
  Config config;
  Eigen::Matrix<S, Dynamic, 1> m, v;
  Index t = 0;

  explicit Adam(const Layout& layout, const Config& c = {}) : Adam(detail::Segments("Adam", layout), c) {}
  explicit Adam(std::vector<Segment> segments, const Config& c = {})
      : Adam(detail::Segments("Adam", std::move(segments)), c) {}

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
      auto pi = p.col(0).segment(offset, size).array();
      auto mi = m.segment(offset, size).array();
      auto vi = v.segment(offset, size).array();
      const auto gi = g.col(0).segment(offset, size).array();
      mi = b1 * mi + c1 * gi;
      vi = b2 * vi + c2 * gi.square();
      pi = (decays ? keep : S(1)) * pi - eta * mi / (root * vi.sqrt() + epsilon);
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
