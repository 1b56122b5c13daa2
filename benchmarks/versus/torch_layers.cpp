// LibTorch's side of self-attention, transformer blocks and the step over remembered keys: several ways each.
#include "torch_attention.hpp"

namespace versus {
namespace {

namespace nn = torch::nn;

/// PyTorch's modules order tokens [time, batch, features]; heed's order is [batch, time, features].
struct Order {
  Shape s;
  Tensor to_modules(const Tensor& x) const { return x.view({s.batch, s.length, s.dim}).transpose(0, 1).contiguous(); }
  Tensor from_modules(const Tensor& y) const { return y.transpose(0, 1).reshape({s.tokens(), s.dim}); }
};

/// A layer of a shape in one of several ways: forward, or forward and backward to all weights and x.
class Ways {
 public:
  explicit Ways(const Task& task) : task_(task), s(task.row) {}

  /// make(weights) gives a function of x, [tokens, features] or as the modules order them.
  template <class Make>
  void add(const std::string& name, bool module_order, Make make) {
    const Order order{s};
    Weights weights(task_.both);
    auto f = make(weights);
    Tensor x = tokens("x", int(s.tokens()), int(s.dim)), dy = tokens("dy", int(s.tokens()), int(s.dim));
    if (module_order) x = order.to_modules(x), dy = order.to_modules(dy);
    const auto ordered = [=](const Tensor& y) { return module_order ? order.from_modules(y) : y; };
    const Graph graph = [f, x]() mutable { return f(x); };
    if (!task_.both) return all.push_back({name, forward_unit(graph, ordered)});
    x.requires_grad_();
    auto inputs = weights.learned;
    inputs.emplace_back("dx", x);
    all.push_back({name, gradient_unit(graph, dy, inputs, ordered)});
  }

  const Task task_;
  const Shape s;
  std::vector<Candidate> all;
};

using Attention = Tensor (*)(const AttentionWeights&, const Shape&, const Tensor&);
const std::pair<const char*, Attention> attentions[] = {{"matmul", attention_by_matmul},
                                                        {"baddbmm", attention_by_baddbmm},
                                                        {"_scaled_dot_product_attention", attention_by_function}};

nn::MultiheadAttention attention_module(Weights& weights, const Shape& s, const std::string& prefix) {
  nn::MultiheadAttention module(nn::MultiheadAttentionOptions(s.dim, s.heads));
  weights.load(*module, prefix);
  return module;
}
Tensor attend(nn::MultiheadAttention& module, const Tensor& x) {
  return std::get<0>(module(x, x, x, Tensor(), /*need_weights=*/false));
}

std::vector<Candidate> self_attention(const Task& task) {
  Ways ways(task);
  const Shape s = ways.s;
  ways.add("nn::MultiheadAttention", true, [&](Weights& weights) {
    return [module = attention_module(weights, s, "")](const Tensor& x) mutable { return attend(module, x); };
  });
  for (const auto& [name, attention] : attentions)
    ways.add(name, false, [&, f = attention](Weights& weights) {
      return [w = AttentionWeights(weights, int(s.dim), ""), s, f](const Tensor& x) { return f(w, s, x); };
    });
  if (task.both) return ways.all;
  ways.add("preallocated", false, [&](Weights& weights) {
    const auto f = std::make_shared<PreallocatedAttention>(AttentionWeights(weights, int(s.dim), ""), s);
    return [f, y = at::empty({s.tokens(), s.dim})](const Tensor& x) mutable { return (*f)(x, y), y; };
  });
  ways.add("_native_multi_head_attention", false, [&](Weights& weights) {
    return [w = AttentionWeights(weights, int(s.dim), ""), s](const Tensor& x) {
      const Tensor x3 = x.view({s.batch, s.length, s.dim});
      return std::get<0>(at::_native_multi_head_attention(x3, x3, x3, s.dim, s.heads, w.in.weight, w.in.bias,
                                                          w.out.weight, w.out.bias, {}, /*need_weights=*/false))
          .view({s.tokens(), s.dim});
    };
  });
  return ways.all;
}

struct Norm {
  Tensor weight, bias;
  Norm(Weights& weights, const std::string& name, std::int64_t dim)
      : weight(weights(name + ".weight", {dim})), bias(weights(name + ".bias", {dim})) {}
  Tensor operator()(const Tensor& x) const { return at::layer_norm(x, weight.sizes(), weight, bias); }
};
struct BlockWeights {
  Affine linear1, linear2;
  Norm norm1, norm2;
  BlockWeights(Weights& weights, std::int64_t dim)
      : linear1(weights, "linear1", int(dim), int(4 * dim)),
        linear2(weights, "linear2", int(4 * dim), int(dim)),
        norm1(weights, "norm1", dim),
        norm2(weights, "norm2", dim) {}
};

/// A pre-norm block around an attention.
template <class Attend>
Tensor block(const BlockWeights& w, const Tensor& x, Attend attention) {
  const Tensor h = x + attention(w.norm1(x));
  const Tensor flat = h.reshape({-1, h.size(-1)});
  return at::add(flat, w.linear2(at::gelu(w.linear1(w.norm2(flat))))).view(h.sizes());
}

/// Forward alone, into tensors that are there already.
class PreallocatedBlock {
 public:
  PreallocatedBlock(Weights& weights, const Shape& s)
      : w_(weights, s.dim),
        attention_(AttentionWeights(weights, int(s.dim), "self_attn."), s),
        normed_(at::empty({s.tokens(), s.dim})),
        h_(at::empty({s.tokens(), s.dim})),
        inner_(at::empty({s.tokens(), 4 * s.dim})),
        mean_(at::empty({s.tokens(), 1})),
        deviation_(at::empty({s.tokens(), 1})) {}
  void operator()(const Tensor& x, Tensor& y) {
    norm(w_.norm1, x);
    attention_(normed_, h_);
    h_.add_(x);
    norm(w_.norm2, h_);
    w_.linear1(normed_, inner_);
    at::gelu_out(inner_, inner_);
    w_.linear2(inner_, y);
    y.add_(h_);
  }

 private:
  void norm(const Norm& n, const Tensor& x) {
    at::native_layer_norm_out(normed_, mean_, deviation_, x, n.weight.sizes(), n.weight, n.bias, 1e-5);
  }
  BlockWeights w_;
  PreallocatedAttention attention_;
  Tensor normed_, h_, inner_, mean_, deviation_;
};

std::vector<Candidate> transformer_block(const Task& task) {
  Ways ways(task);
  const Shape s = ways.s;
  ways.add("nn::MultiheadAttention", true, [&](Weights& weights) {
    return [w = BlockWeights(weights, s.dim), module = attention_module(weights, s, "self_attn.")](
               const Tensor& x) mutable { return block(w, x, [&](const Tensor& n) { return attend(module, n); }); };
  });
  for (const auto& [name, attention] : attentions)
    ways.add(name, false, [&, f = attention](Weights& weights) {
      return [w = BlockWeights(weights, s.dim), of = AttentionWeights(weights, int(s.dim), "self_attn."), s,
              f](const Tensor& x) { return block(w, x, [&](const Tensor& n) { return f(of, s, n); }); };
    });
  if (task.both) return ways.all;
  ways.add("preallocated", false, [&](Weights& weights) {
    return [f = std::make_shared<PreallocatedBlock>(weights, s),
            y = at::empty({s.tokens(), s.dim})](const Tensor& x) mutable { return (*f)(x, y), y; };
  });
  ways.add("_transformer_encoder_layer_fwd", false, [&](Weights& weights) {
    return [w = BlockWeights(weights, s.dim), of = AttentionWeights(weights, int(s.dim), "self_attn."),
            s](const Tensor& x) {
      return at::_transformer_encoder_layer_fwd(
                 x.view({s.batch, s.length, s.dim}), s.dim, s.heads, of.in.weight, of.in.bias, of.out.weight,
                 of.out.bias, /*use_gelu=*/true, /*norm_first=*/true, 1e-5, w.norm1.weight, w.norm1.bias,
                 w.norm2.weight, w.norm2.bias, w.linear1.weight, w.linear1.bias, w.linear2.weight, w.linear2.bias)
          .view({s.tokens(), s.dim});
    };
  });
  return ways.all;
}

/// One new token: its key and value go to the last of the places, which stay where they are.
class Cache {
 public:
  Cache(const Shape& s, bool turned_keys) : x_(tokens("x", int(s.length), int(s.dim))), w_(weights_, int(s.dim), "") {
    const Tensor all = w_.in(x_);  // of all tokens, the newest included
    const auto by_head = [&](int which) {
      return all.narrow(1, which * s.dim, s.dim).view({s.length, s.heads, s.head()}).transpose(0, 1);
    };
    const Tensor keys = turned_keys ? by_head(1).transpose(1, 2).contiguous() : by_head(1).contiguous();
    k_ = turned_keys ? keys : keys.transpose(1, 2);
    v_ = by_head(2).contiguous();
    newest_k_ = k_.select(2, s.length - 1), newest_v_ = v_.select(1, s.length - 1);
    newest_k_.zero_(), newest_v_.zero_();
    x_ = x_.narrow(0, s.length - 1, 1);
    const auto apart = qkv_.resize_({1, 3 * s.dim}).view({3, s.heads, s.head()}).unbind(0);
    q_ = apart[0].unsqueeze(1), new_k_ = apart[1], new_v_ = apart[2];
    scores_ = at::empty({s.heads, 1, s.length}), mixed_ = at::empty({s.heads, 1, s.head()});
    joined_ = mixed_.view({1, s.dim}), y_ = at::empty({1, s.dim});
    scale_ = s.scale();
  }
  Tensor graph() {
    const auto apart = w_.in(x_).view({3, v_.size(0), v_.size(2)}).unbind(0);
    newest_k_.copy_(apart[1]);
    newest_v_.copy_(apart[2]);
    const Tensor weights = at::softmax(at::bmm(apart[0].unsqueeze(1), k_) * scale_, -1);
    return w_.out(at::bmm(weights, v_).view({1, joined_.size(1)}));
  }
  Tensor preallocated() {
    w_.in(x_, qkv_);
    newest_k_.copy_(new_k_);
    newest_v_.copy_(new_v_);
    at::baddbmm_out(scores_, scores_, q_, k_, 0, scale_);
    at::_softmax_out(scores_, scores_, -1, false);
    at::bmm_out(mixed_, scores_, v_);
    w_.out(joined_, y_);
    return y_;
  }

 private:
  Weights weights_{false};
  Tensor x_;
  AttentionWeights w_;
  Tensor qkv_ = at::empty({0}), q_, new_k_, new_v_, k_, v_, newest_k_, newest_v_, scores_, mixed_, joined_, y_;
  double scale_;
};

}  // namespace

std::vector<Candidate> torch_layers(const Task& task) {
  return task.row.kind == Kind::block ? transformer_block(task) : self_attention(task);
}

std::vector<Candidate> torch_extend(const Task& task) {
  const auto way = [&](const char* name, bool turned_keys, Tensor (Cache::*step)()) {
    const auto cache = std::make_shared<Cache>(Shape(task.row), turned_keys);
    return Candidate{name, forward_unit([cache, step] { return (*cache.*step)(); }, [](const Tensor& y) { return y; })};
  };
  return {way("bmm", false, &Cache::graph), way("bmm, keys turned", true, &Cache::graph),
          way("preallocated", false, &Cache::preallocated),
          way("preallocated, keys turned", true, &Cache::preallocated)};
}

}  // namespace versus
