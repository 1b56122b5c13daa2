#pragma once
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"

namespace heed {

/// A place in a network where something attends. The weights of sequence s are a matrix keys x queries, with as many of each
/// as sequence s has columns along these axes. A network, or its `body`, names its own from the input on:
///
///   template <class Visit>
///   void attentions(Visit visit) const {
///     visit(AttentionLayer{"attention", time, time},
///           [this](auto p, auto a, Index sequence, Index head, auto w) { /* writes the weights, keys x queries */ });
///   }
struct AttentionLayer {
  std::string name;       ///< that of its weights, within the body
  Axis keys, queries;     ///< columns of the keys and of the queries
  Index heads = 1;        ///< matrices of weights
  bool residual = false;  ///< whether what it answers is added to the token that asks
  bool partial = false;   ///< whether the weights of a query may sum to less than 1: with a sink, with memory tokens
};

namespace detail {

template <class Net, class Visit>
void each_attention(const Net& net, Visit visit) {
  if constexpr (requires { net.attentions(visit); })
    net.attentions(visit);
  else if constexpr (requires { net.body; })
    each_attention(net.body, visit);
}

/// What `attentions` says of a layer of many heads: how many, and their weights.
template <class Attention, class Visit>
void visit_heads(std::string name, Axis keys, Axis queries, bool residual, const Attention& attention, Visit& visit) {
  bool partial = false;
  if constexpr (requires { attention.attention.config.sink; })
    partial = attention.attention.config.sink || attention.attention.config.memory_tokens > 0;
  visit(
      AttentionLayer{std::move(name), keys, queries, attention.heads(), residual, partial},
      [&attention](auto p, auto a, Index sequence, Index head, auto w) { attention.weights(p, a, sequence, head, w); });
}
/// The self-attention of each block of a Stack: what its owner's `attentions` says of them.
template <class Stack, class Visit>
void visit_blocks(const char* prefix, const Stack& stack, Visit& visit) {
  for (std::size_t i = 0; i < stack.blocks.size(); ++i)
    visit_heads(prefix + std::to_string(i), stack.axis, stack.axis, true, stack.blocks[i].attention, visit);
}

/// After `extend` weights are of the new keys alone, and the rest of each sum went to keys that are remembered; or they are NaN.
template <class S>
void expect_whole(const char* who, const AttentionLayer& layer, Index number, Index sequence, const Tokens<S>& w) {
  for (Index j = 0; j < w.cols(); ++j)
    if (const double sum = double(w.col(j).sum());
        layer.partial ? std::isnan(sum) : sum != 0 && !(std::abs(sum - 1) <= 1e-2))
      fail(
          "%s: the weights of query %ld in sequence %ld of layer %ld (%s) sum to %g, not to 1: they are known after a "
          "forward over whole sequences",
          who, long(j), long(sequence), long(number), layer.name.c_str(), sum);
}

/// The mean over the heads from `first` to before `end`.
template <class S, class Weights>
Tokens<S> mean_of_heads(const char* who, const AttentionLayer& layer, Index number, ParametersView<const S> p,
                        ActivationsView<S> a, Index sequence, Index first, Index end, const Weights& weights) {
  const SequencesView keys = a.sequences(layer.keys), queries = a.sequences(layer.queries);
  const Index count = std::min(keys.count(), queries.count());
  if (sequence < 0 || sequence >= count)
    fail("%s: sequence %ld of layer %ld (%s) asked for, but there are %ld", who, long(sequence), long(number),
         layer.name.c_str(), long(count));
  if (first < 0 || end > layer.heads)
    fail("%s: head %ld of layer %ld (%s) asked for, but there are %ld", who, long(first), long(number),
         layer.name.c_str(), long(layer.heads));
  Tokens<S> sum = Tokens<S>::Zero(keys.length(sequence), queries.length(sequence)), w = sum;
  for (Index head = first; head < end; ++head) {
    weights(p, a, sequence, head, Write<S>(w));
    expect_whole(who, layer, number, sequence, w);
    sum += w;
  }
  return sum / S(end - first);
}

/// Those of the heads from `first` to before `end` (-1: of all).
template <class Net, class S = typename Net::Scalar>
Tokens<S> layer_weights(const char* who, const Net& net, ParametersView<const S> p, ActivationsView<S> a, Index layer,
                        Index sequence, Index first, Index end) {
  Tokens<S> mean;
  Index count = 0;
  each_attention(net, [&](const AttentionLayer& at, const auto& weights) {
    if (count++ != layer) return;
    mean = mean_of_heads<S>(who, at, layer, p, a, sequence, first, end < 0 ? at.heads : end, weights);
  });
  if (layer < 0 || layer >= count) fail("%s: layer %ld asked for, but there are %ld", who, long(layer), long(count));
  return mean;
}

}  // namespace detail

/// Where a network attends, from the input on; nothing of one that does not attend.
template <class Net>
std::vector<AttentionLayer> attention_layers(const Net& net) {
  std::vector<AttentionLayer> all;
  detail::each_attention(net, [&](const AttentionLayer& layer, const auto&) { all.push_back(layer); });
  return all;
}

/// What each query of a sequence attended to in one head, after a forward over whole sequences: keys x queries. After
/// `extend`, where part of what a query sees is only remembered, weights are not known. `layer` counts those of
/// `attention_layers(net)`. A sequence is one along the layer's own axes: of a layer over the entities of each time step
/// sequence s is those of step s.
template <class Net>
Tokens<typename Net::Scalar> attention_weights(const Net& net, ParametersView<const typename Net::Scalar> p,
                                               ActivationsView<typename Net::Scalar> a, Index layer, Index sequence,
                                               Index head) {
  if (head < 0) detail::fail("attention_weights: head %ld of layer %ld asked for", long(head), long(layer));
  return detail::layer_weights("attention_weights", net, p, a, layer, sequence, head, head + 1);
}
/// The mean over all heads.
template <class Net>
Tokens<typename Net::Scalar> mean_attention(const Net& net, ParametersView<const typename Net::Scalar> p,
                                            ActivationsView<typename Net::Scalar> a, Index layer, Index sequence) {
  return detail::layer_weights("mean_attention", net, p, a, layer, sequence, 0, -1);
}

/// Attention rollout (Abnar and Zuidema 2020, eq. 1): how much of each input reaches each answer of the last of some layers
/// that follow each other.
///
///   R = A_1 A_2 ... A_L    A_l = W_l / 2 + I / 2, each column divided by its sum    W_l: keys x queries, mean over the heads
///
/// (the paper's matrices are queries x keys and stand in the opposite order). I stands for the residual, so a layer that
/// has none, such as a pooling at the end, counts as W_l. A token that sees nothing is made of itself, or of nothing where
/// there is no residual. Layers from `first` on, `layers` of them (-1: all that are left).
template <class Net>
Tokens<typename Net::Scalar> attention_rollout(const Net& net, ParametersView<const typename Net::Scalar> p,
                                               ActivationsView<typename Net::Scalar> a, Index sequence, Index first = 0,
                                               Index layers = -1) {
  using S = typename Net::Scalar;
  const std::vector<AttentionLayer> all = attention_layers(net);
  const Index end = layers < 0 ? Index(all.size()) : first + layers;
  if (first < 0 || first >= end || end > Index(all.size()))
    detail::fail("attention_rollout: layers %ld to %ld asked for, but there are %zu", long(first), long(end - 1),
                 all.size());
  Tokens<S> rollout;
  for (Index i = first; i < end; ++i) {
    const AttentionLayer& layer = all[std::size_t(i)];
    if (i > first && !(layer.keys == all[std::size_t(i - 1)].queries))
      detail::fail("attention_rollout: layer %ld (%s) does not attend to what layer %ld (%s) answers", long(i),
                   layer.name.c_str(), long(i - 1), all[std::size_t(i - 1)].name.c_str());
    Tokens<S> w = detail::layer_weights("attention_rollout", net, p, a, i, sequence, 0, -1);
    if (layer.residual) w += Tokens<S>::Identity(w.rows(), w.cols());
    for (Index j = 0; j < w.cols(); ++j)
      if (const S sum = w.col(j).sum(); sum > 0) w.col(j) /= sum;
    rollout = i == first ? w : Tokens<S>(rollout * w);
  }
  return rollout;
}

/// How spread each query's attention is: the entropy of each column of weights, in nats; 0 where it sees nothing or one key.
/// What is no weight is an error.
template <class S>
std::vector<double> attention_entropies(const Tokens<S>& weights) {
  std::vector<double> entropies;
  for (Index j = 0; j < weights.cols(); ++j) {
    double entropy = 0;
    for (Index i = 0; i < weights.rows(); ++i) {
      const double w = double(weights(i, j));
      if (!(w >= 0 && std::isfinite(w)))
        detail::fail("attention_entropies: the weight of key %ld for query %ld is %g", long(i), long(j), w);
      if (w > 0) entropy -= w * std::log(w);
    }
    entropies.push_back(entropy);
  }
  return entropies;
}

}  // namespace heed
