#pragma once
// What LibTorch's contenders share: weights and tokens with the numbers that heed has, and work from a graph.

#include <torch/torch.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "contender.hpp"

namespace versus {

using torch::Tensor;

inline Piece piece(const std::string& name, const Tensor& of) {
  const Tensor flat = of.detach().contiguous().view(-1);
  return {name, std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel())};
}

/// [columns, features]: the same bytes as heed's columns of tokens.
inline Tensor tokens(const char* name, int columns, int features) {
  Tensor x = torch::empty({columns, features});
  fill_tokens(x.data_ptr<float>(), std::size_t(x.numel()), name);
  return x;
}

/// Weights by their names, made as they are asked for. `learned` are those that gradients are wanted of.
class Weights {
 public:
  std::vector<std::pair<std::string, Tensor>> learned;

  explicit Weights(bool gradients) : gradients_(gradients) {}

  Tensor operator()(const std::string& name, std::vector<std::int64_t> sizes) {
    const Tensor w = fixed(name, std::move(sizes));
    w.requires_grad_(gradients_);
    learned.emplace_back(name, w);
    return w;
  }
  Tensor fixed(const std::string& name, std::vector<std::int64_t> sizes) const {
    const double columns = sizes.size() > 1 ? double(sizes.back()) : 0;
    Tensor w = torch::empty(sizes);
    fill_weight(w.data_ptr<float>(), std::size_t(w.numel()), name, columns);
    return w;
  }
  /// Gives a module these numbers, and learns its weights.
  void load(torch::nn::Module& module, const std::string& prefix = "") {
    const torch::NoGradGuard no_gradient;
    for (auto& item : module.named_parameters()) {
      item.value().copy_(fixed(prefix + item.key(), item.value().sizes().vec()));
      item.value().requires_grad_(gradients_);
      learned.emplace_back(prefix + item.key(), item.value());
    }
  }

 private:
  bool gradients_;
};

/// A linear map of the weights `name`.weight and `name`.bias.
struct Affine {
  Tensor weight, bias, turned;  // turned once and for all where no gradient has to find its way back

  Affine(Weights& weights, const std::string& name, int in, int out)
      : Affine(weights(name + ".weight", {out, in}), weights(name + ".bias", {out})) {}
  Affine(Tensor weight_, Tensor bias_) : weight(std::move(weight_)), bias(std::move(bias_)) {
    if (!weight.requires_grad()) turned = weight.t();
  }
  Tensor operator()(const Tensor& x) const { return at::addmm(bias, x, turned.defined() ? turned : weight.t()); }
  /// Into y, which is there already.
  void operator()(const Tensor& x, Tensor& y) const { at::addmm_out(y, bias, x, turned); }
};

using Graph = std::function<Tensor()>;

/// Forward alone. `ordered` is what makes the answer comparable to heed's.
inline Unit forward_unit(const Graph& f, const std::function<Tensor(const Tensor&)>& ordered) {
  const auto run = [f] {
    const c10::InferenceMode inference;
    f();
  };
  return {run, [f, ordered] {
            const c10::InferenceMode inference;
            return std::vector<Piece>{piece("y", ordered(f()))};
          }};
}

/// Forward, and backward to the inputs named.
inline Unit gradient_unit(const Graph& f, const Tensor& dy, const std::vector<std::pair<std::string, Tensor>>& inputs,
                          const std::function<Tensor(const Tensor&)>& ordered) {
  std::vector<Tensor> of;
  for (const auto& input : inputs) of.push_back(input.second);
  return {[=] { torch::autograd::grad({f()}, of, {dy}); },
          [=] {
            const Tensor y = f();
            const auto gradients = torch::autograd::grad({y}, of, {dy});
            std::vector<Piece> all{piece("y", ordered(y))};
            for (std::size_t i = 0; i < of.size(); ++i)
              all.push_back(inputs[i].first == "dx" ? piece("dx", ordered(gradients[i]))
                                                    : piece("gradient." + inputs[i].first, gradients[i]));
            return all;
          }};
}

std::vector<Candidate> torch_layers(const Task& task);    // self-attention and transformer blocks
std::vector<Candidate> torch_extend(const Task& task);    // one query over remembered keys
std::vector<Candidate> torch_policies(const Task& task);  // policies and MLPs

}  // namespace versus
