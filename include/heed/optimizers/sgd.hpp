#pragma once
#include <limits>
#include "heed/detail/segments.hpp"

namespace heed {

/// Stochastic gradient descent with momentum (Polyak 1964), or with Nesterov's as in Sutskever et al. 2013, as PyTorch's
/// SGD:
///
///   d = g + lambda p    v = mu v + d    p -= eta v    (nesterov: p -= eta (d + mu v))
///
///   p, g, v: flat vectors    eta: learning rate    mu: momentum    lambda: weight decay, an L2 penalty, where weights
///   decay
///
/// Weights that are not trained, or frozen, stay as they are. Between steps `config` may be changed; no step allocates. Errors: vectors of
/// another size than the layout's, numbers of the configuration out of range.
template <class S>
class Sgd {
 public:
  /// Hyper-parameters; all may be changed between steps.
  struct Config {
    double learning_rate = 1e-2;  ///< of a step
    double momentum = 0;          ///< how much of the last step is taken again
    double weight_decay = 0;      ///< of matrices
    bool nesterov = false;        ///< the gradient counts where the momentum will lead
  };
  Config config;                   ///< may be changed between steps
  Eigen::Matrix<S, Dynamic, 1> v;  ///< momentum

  /// For all weights of the layout.
  explicit Sgd(const Layout& layout, const Config& c = {}) : Sgd(detail::Segments("Sgd", layout), c) {}
  /// For these stretches of the flat vector.
  explicit Sgd(std::vector<Segment> segments, const Config& c = {})
      : Sgd(detail::Segments("Sgd", std::move(segments)), c) {}

  /// Changes the weights p, by their gradient g; both as long as the layout's flat vector.
  void step(Write<S> p, Read<S> g) {
    detail::expect_shape("Sgd", "p", p, segments_.size(), 1);
    detail::expect_shape("Sgd", "g", g, segments_.size(), 1);
    check();
    const S eta = S(config.learning_rate), mu = S(config.momentum), lambda = S(config.weight_decay);
    segments_.for_each_block([&](Index offset, Index size, bool decays) {
      auto pi = p.col(0).segment(offset, size);
      auto vi = v.segment(offset, size);
      const auto gi = g.col(0).segment(offset, size);
      const auto d = gi + (decays ? lambda : S(0)) * pi;
      vi = mu * vi + d;
      if (config.nesterov)
        pi -= eta * (d + mu * vi);
      else
        pi -= eta * vi;
    });
  }

  template <class Fields>
  void fields(Fields& f) {
    f("v", v);
  }

 private:
  Sgd(detail::Segments segments, const Config& c) : config(c), segments_(std::move(segments)) {
    check();
    v.setZero(segments_.size());
  }
  void check() const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    detail::expect_within("Sgd", "learning_rate", config.learning_rate, 0, infinity);
    detail::expect_within("Sgd", "momentum", config.momentum, 0, 1);
    detail::expect_within("Sgd", "weight_decay", config.weight_decay, 0, infinity);
    if (config.nesterov && config.momentum == 0) [[unlikely]]
      detail::fail("Sgd: nesterov needs a momentum above 0");
  }
  detail::Segments segments_;
};

}  // namespace heed
