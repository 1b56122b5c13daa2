#pragma once
// Self-attention as explicit graphs of LibTorch's operations.

#include <cmath>

#include "torch_side.hpp"

namespace versus {

struct Shape {
  std::int64_t batch, length, dim, heads;
  explicit Shape(const Row& r) : batch(r.batch), length(r.length), dim(r.dim), heads(r.heads) {}
  std::int64_t tokens() const { return batch * length; }
  std::int64_t head() const { return dim / heads; }
  double scale() const { return 1 / std::sqrt(double(head())); }
};

struct AttentionWeights {
  Affine in, out;
  AttentionWeights(Weights& weights, int dim, const std::string& prefix)
      : in(weights(prefix + "in_proj_weight", {3 * dim, dim}), weights(prefix + "in_proj_bias", {3 * dim})),
        out(weights(prefix + "out_proj.weight", {dim, dim}), weights(prefix + "out_proj.bias", {dim})) {}
};

/// From x [batch * length, dim] to the same, as one writes it: products of tensors of four axes.
inline Tensor attention_by_matmul(const AttentionWeights& w, const Shape& s, const Tensor& x) {
  const auto qkv = w.in(x).view({s.batch, s.length, 3, s.heads, s.head()}).permute({2, 0, 3, 1, 4}).unbind(0);
  const Tensor scores = at::matmul(qkv[0] * s.scale(), qkv[1].transpose(-2, -1));
  return w.out(at::matmul(scores.softmax(-1), qkv[2]).transpose(1, 2).reshape({s.tokens(), s.dim}));
}

/// With one copy that brings each head together, and the scale within the product.
inline Tensor attention_by_baddbmm(const AttentionWeights& w, const Shape& s, const Tensor& x) {
  const auto qkv = w.in(x)
                       .view({s.batch, s.length, 3, s.heads, s.head()})
                       .permute({2, 0, 3, 1, 4})
                       .reshape({3, s.batch * s.heads, s.length, s.head()})
                       .unbind(0);
  const Tensor none = at::empty({1, 1, 1}, x.options());
  const Tensor scores = at::baddbmm(none, qkv[0], qkv[1].transpose(1, 2), 0, s.scale());
  const Tensor mixed = at::bmm(scores.softmax(-1), qkv[2]);
  return w.out(mixed.view({s.batch, s.heads, s.length, s.head()}).transpose(1, 2).reshape({s.tokens(), s.dim}));
}

/// LibTorch 1.13's own attention of queries, keys and values.
inline Tensor attention_by_function(const AttentionWeights& w, const Shape& s, const Tensor& x) {
  const auto qkv = w.in(x).view({s.batch, s.length, 3, s.heads, s.head()}).permute({2, 0, 3, 1, 4}).unbind(0);
  const Tensor mixed = std::get<0>(at::_scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]));
  return w.out(mixed.transpose(1, 2).reshape({s.tokens(), s.dim}));
}

/// Forward alone, into tensors that are there already.
class PreallocatedAttention {
 public:
  PreallocatedAttention(const AttentionWeights& weights, const Shape& s)
      : w_(weights),
        scale_(s.scale()),
        qkv_(at::empty({s.tokens(), 3 * s.dim})),
        heads_(at::empty({3, s.batch, s.heads, s.length, s.head()})),
        scores_(at::empty({s.batch * s.heads, s.length, s.length})),
        mixed_(at::empty({s.batch * s.heads, s.length, s.head()})),
        joined_(at::empty({s.tokens(), s.dim})),
        qkv_by_head_(qkv_.view({s.batch, s.length, 3, s.heads, s.head()}).permute({2, 0, 3, 1, 4})),
        mixed_by_token_(mixed_.view({s.batch, s.heads, s.length, s.head()}).transpose(1, 2)),
        joined_by_head_(joined_.view({s.batch, s.length, s.heads, s.head()})) {
    const auto apart = heads_.view({3, s.batch * s.heads, s.length, s.head()}).unbind(0);
    q_ = apart[0], k_ = apart[1].transpose(1, 2), v_ = apart[2];
  }
  void operator()(const Tensor& x, Tensor& y) {
    w_.in(x, qkv_);
    heads_.copy_(qkv_by_head_);
    at::baddbmm_out(scores_, scores_, q_, k_, 0, scale_);
    at::_softmax_out(scores_, scores_, -1, false);
    at::bmm_out(mixed_, scores_, v_);
    joined_by_head_.copy_(mixed_by_token_);
    w_.out(joined_, y);
  }

 private:
  AttentionWeights w_;
  double scale_;
  Tensor qkv_, heads_, scores_, mixed_, joined_, qkv_by_head_, mixed_by_token_, joined_by_head_, q_, k_, v_;
};

}  // namespace versus
