// LibTorch's side of the policies: with modules and without, with its Adam and with one over a single flat vector.
#include <cmath>
#include <optional>

#include "torch_side.hpp"

namespace versus {
namespace {

namespace nn = torch::nn;

/// Adam over all weights at once: they and their gradients are views of one vector each, so a step is a few operations.
class FlatAdam {
 public:
  explicit FlatAdam(const std::vector<std::pair<std::string, Tensor>>& weights) {
    const torch::NoGradGuard no_gradient;
    std::vector<Tensor> all;
    for (const auto& weight : weights) all.push_back(weight.second.view(-1));
    p_ = at::cat(all);
    g_ = at::zeros_like(p_), m_ = at::zeros_like(p_), v_ = at::zeros_like(p_), root_ = at::zeros_like(p_);
    std::int64_t first = 0;
    for (const auto& [name, w] : weights) {
      w.set_data(p_.narrow(0, first, w.numel()).view(w.sizes()));
      w.mutable_grad() = g_.narrow(0, first, w.numel()).view(w.sizes());
      first += w.numel();
    }
  }
  void zero_grad() { g_.zero_(); }
  void step() {
    const torch::NoGradGuard no_gradient;
    first_ *= 0.9, second_ *= 0.999;
    m_.mul_(0.9).add_(g_, 0.1);
    v_.mul_(0.999).addcmul_(g_, g_, 0.001);
    at::sqrt_out(root_, v_).div_(std::sqrt(1 - second_)).add_(1e-8);
    p_.addcdiv_(m_, root_, -1e-3 / (1 - first_));
  }

 private:
  Tensor p_, g_, m_, v_, root_;
  double first_ = 1, second_ = 1;
};

/// Forward, backward to the weights and a step.
template <class Optimizer>
Unit training_unit(const Graph& f, const Tensor& dy, const Weights& weights, std::shared_ptr<Optimizer> optimizer) {
  const auto backward = [=] {
    optimizer->zero_grad();
    const Tensor y = f();
    y.backward(dy);
    return y;
  };
  return {[=] {
            backward();
            optimizer->step();
          },
          [=] {
            std::vector<Piece> all{piece("y", backward())};
            for (const auto& [name, w] : weights.learned) all.push_back(piece("gradient." + name, w.grad()));
            optimizer->step();
            for (const auto& [name, w] : weights.learned) all.push_back(piece("stepped." + name, w));
            return all;
          }};
}

Tensor as_it_is(const Tensor& y) { return y; }

/// A network in several ways: forward; forward and backward; or with a step of either Adam.
class Ways {
 public:
  Ways(bool both, bool learns, int columns) : both_(both), learns_(learns), columns_(columns) {}

  /// make(weights) gives the graph.
  template <class Make>
  void add(const std::string& name, Make make) {
    if (both_ && learns_) return add_training(name, make);
    Weights weights(both_);
    const Graph f = make(weights);
    all.push_back({name, both_ ? gradient_unit(f, dy(), weights.learned, as_it_is) : forward_unit(f, as_it_is)});
  }
  /// Where nothing is learned: into tensors that are there already.
  template <class Make>
  void add_forward(const std::string& name, Make make) {
    if (!both_) add(name, make);
  }
  std::vector<Candidate> all;

 private:
  template <class Make>
  void add_training(const std::string& name, Make make) {
    Weights flat(true), parts(true);
    const Graph f = make(flat), g = make(parts);
    all.push_back({name + ", flat Adam", training_unit(f, dy(), flat, std::make_shared<FlatAdam>(flat.learned))});
    std::vector<Tensor> all_parts;
    for (const auto& weight : parts.learned) all_parts.push_back(weight.second);
    const auto adam = std::make_shared<torch::optim::Adam>(all_parts, torch::optim::AdamOptions(1e-3));
    all.push_back({name + ", optim::Adam", training_unit(g, dy(), parts, adam)});
  }
  Tensor dy() const { return tokens("dy", columns_, policy_actions); }

  bool both_, learns_;
  int columns_;
};

/// The weights of an attention policy, and its windows as they come in.
struct PolicyWeights {
  std::int64_t batch, length, width;  // width: of a token
  Tensor x, positions;
  std::optional<Affine> embedding;
  Affine alignment;
  Tensor context;
  Affine hidden, policy;

  PolicyWeights(Weights& w, const Row& r)
      : batch(r.batch),
        length(r.length),
        width(embeds(r) ? r.dim : r.observation),
        x(tokens("x", r.batch * r.length, r.observation)),
        positions(w.fixed("positions", {r.length, width})),
        embedding(embeds(r) ? std::optional<Affine>(std::in_place, w, "embedding", r.observation, r.dim)
                            : std::nullopt),
        alignment(w, "attention.attention", int(width), r.dim),
        context(w("attention.context_vector", {r.dim})),
        hidden(w, "hidden", int(width), policy_hidden),
        policy(w, "policy", policy_hidden, policy_actions) {}

  /// Observations, or what they are embedded as, a window a row.
  Tensor windows() const { return (embedding ? (*embedding)(x) : x).view({batch, length, width}); }

 private:
  static bool embeds(const Row& r) { return r.kind == Kind::embedded_policy; }
};

/// The tokens' sum, each with its weight, as a product or as a sum.
Graph attention_graph(const PolicyWeights& w, bool product) {
  return [=] {
    const Tensor tokens = w.windows() + w.positions;
    const Tensor u = w.alignment(tokens.view({-1, w.width})).tanh_();
    const Tensor a = at::mv(u, w.context).view({w.batch, w.length}).softmax(-1);
    const Tensor c = product ? at::bmm(a.unsqueeze(1), tokens).squeeze(1) : (a.unsqueeze(2) * tokens).sum(1);
    return w.policy(w.hidden(c).tanh_());
  };
}

/// Forward alone, into tensors that are there already.
Graph preallocated_attention_graph(const PolicyWeights& w) {
  const auto empty = [](std::vector<std::int64_t> sizes) { return at::empty(sizes); };
  Tensor tokens = empty({w.batch * w.length, w.width}), u = empty({w.batch * w.length, w.context.size(0)});
  Tensor e = empty({w.batch * w.length});
  Tensor c = empty({w.batch, 1, w.width}), features = empty({w.batch, policy_hidden});
  Tensor logits = empty({w.batch, policy_actions});
  Tensor windows = tokens.view({w.batch, w.length, w.width}), scores = e.view({w.batch, w.length});
  const Tensor a = e.view({w.batch, 1, w.length}), context = c.view({w.batch, w.width});
  const Tensor bias = w.embedding ? w.embedding->bias : at::zeros({w.width});
  const Tensor placed = (w.positions + bias).repeat({w.batch, 1});
  return [=]() mutable {
    if (w.embedding)
      at::addmm_out(tokens, placed, w.x, w.embedding->turned);
    else
      at::add_out(tokens, w.x, placed);
    w.alignment(tokens, u);
    u.tanh_();
    at::mv_out(e, u, w.context);
    at::_softmax_out(scores, scores, -1, false);
    at::bmm_out(c, a, windows);
    w.hidden(context, features);
    features.tanh_();
    w.policy(features, logits);
    return logits;
  };
}

std::vector<Candidate> attention_policy(const Task& task) {
  Ways ways(task.both, true, task.row.batch);
  ways.add("addmm and bmm", [&](Weights& w) { return attention_graph(PolicyWeights(w, task.row), true); });
  ways.add("addmm and sum", [&](Weights& w) { return attention_graph(PolicyWeights(w, task.row), false); });
  ways.add_forward("preallocated",
                   [&](Weights& w) { return preallocated_attention_graph(PolicyWeights(w, task.row)); });
  return ways.all;
}

struct MlpWeights {
  Tensor x;
  Affine first, second, policy;
  MlpWeights(Weights& w, const Row& r)
      : x(tokens("x", r.batch, r.observation)),
        first(w, "layers.0", r.observation, mlp_hidden),
        second(w, "layers.1", mlp_hidden, mlp_hidden),
        policy(w, "policy", mlp_hidden, policy_actions) {}
};

std::vector<Candidate> mlp(const Task& task) {
  Ways ways(task.both, false, task.row.batch);
  ways.add("addmm", [&](Weights& weights) {
    return [w = MlpWeights(weights, task.row)] { return w.policy(w.second(w.first(w.x).tanh_()).tanh_()); };
  });
  ways.add("nn::Sequential", [&](Weights& weights) {
    nn::Sequential net({{"layers0", nn::Linear(task.row.observation, mlp_hidden)},
                        {"tanh0", nn::Tanh()},
                        {"layers1", nn::Linear(mlp_hidden, mlp_hidden)},
                        {"tanh1", nn::Tanh()},
                        {"policy", nn::Linear(mlp_hidden, policy_actions)}});
    const char* names[] = {"layers.0.", "layers.1.", "policy."};
    for (std::size_t i = 0; i < 3; ++i) weights.load(*net->ptr(2 * i), names[i]);
    return [net, x = tokens("x", task.row.batch, task.row.observation)]() mutable { return net->forward(x); };
  });
  ways.add_forward("preallocated", [&](Weights& weights) {
    Tensor h1 = at::empty({task.row.batch, mlp_hidden}), h2 = at::empty_like(h1);
    return [w = MlpWeights(weights, task.row), h1, h2, y = at::empty({task.row.batch, policy_actions})]() mutable {
      w.first(w.x, h1);
      w.second(h1.tanh_(), h2);
      w.policy(h2.tanh_(), y);
      return y;
    };
  });
  return ways.all;
}

}  // namespace

std::vector<Candidate> torch_policies(const Task& task) {
  const bool perceptron = task.row.kind == Kind::mlp || task.row.kind == Kind::constant_mlp;
  return perceptron ? mlp(task) : attention_policy(task);
}

}  // namespace versus
