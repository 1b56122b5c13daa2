// The same numbers as PyTorch: outputs and all gradients, over random sizes and weights.
#include "parity.hpp"

#include <heed/distributions/categorical.hpp>
#include <heed/layers/activation.hpp>
#include <heed/layers/additive_attention.hpp>
#include <heed/layers/additive_pooling.hpp>
#include <heed/layers/cross_attention.hpp>
#include <heed/layers/dot_product_attention.hpp>
#include <heed/layers/layer_norm.hpp>
#include <heed/layers/linear.hpp>
#include <heed/layers/multi_head_attention.hpp>
#include <heed/layers/pooling.hpp>
#include <heed/layers/positional_encoding.hpp>
#include <heed/layers/transformer_block.hpp>
#include <heed/optimizers/adam.hpp>
#include <heed/optimizers/clip.hpp>
#include <heed/optimizers/sgd.hpp>

using namespace parity;
using heed::Axis, heed::Layout, heed::Nonlinearity, heed::Scope;
namespace nn = torch::nn;

TEMPLATE_TEST_CASE("Linear", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("Linear");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index in = draw.size<S>(70), out = draw.size<S>(70), columns = draw.between(1, 40);
    const bool has_bias = draw.coin();
    Layout layout;
    const heed::Linear<S> layer(Scope(layout, layout.axis()), in, out, has_bias);
    Trial<S> trial(comparison, layout);
    nn::Linear module(nn::LinearOptions(in, out).bias(has_bias));
    trial.load(*module);

    Variable<S> x(draw, in, columns);
    Tokens<S> y(out, columns);
    const auto dy = draw.tokens<S>(out, columns);
    layer.forward(trial.p, x.value, y);
    layer.backward(trial.p, x.value, dy, trial.g, x.gradient);
    trial.compare(y, dy, module(x.tensor), {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("Activation", "", float, double) {
  using S = TestType;
  using Function = Tensor (*)(const Tensor&);
  const std::pair<Nonlinearity, Function> functions[] = {
      {Nonlinearity::identity, [](const Tensor& x) { return x * 1; }},
      {Nonlinearity::tanh, [](const Tensor& x) { return torch::tanh(x); }},
      {Nonlinearity::relu, [](const Tensor& x) { return torch::relu(x); }},
      {Nonlinearity::gelu, [](const Tensor& x) { return torch::gelu(x); }},
      {Nonlinearity::gelu_tanh, [](const Tensor& x) { return torch::gelu(x, "tanh"); }},
      {Nonlinearity::silu, [](const Tensor& x) { return torch::silu(x); }},
      {Nonlinearity::sigmoid, [](const Tensor& x) { return torch::sigmoid(x); }},
      // PyTorch takes softplus(x) for x above 20, which is wrong by 2e-9.
      {Nonlinearity::softplus, [](const Tensor& x) { return torch::softplus(x, 1, 40); }},
  };
  Comparison<S> comparison("Activation");
  Draw& draw = comparison.draw;
  for (const auto& [kind, function] : functions)
    for (int i = 0; i < draws; ++i) {
      INFO("nonlinearity " << int(kind));
      const Index rows = draw.between(1, 40), columns = draw.between(40, 80);  // few numbers may all be saturated
      const heed::Activation<S> layer(kind);
      Trial<S> trial(comparison, Layout());
      Variable<S> x(draw, rows, columns, draw.uniform(0.1, 10));
      Tokens<S> y(rows, columns);
      const auto dy = draw.tokens<S>(rows, columns);
      layer.forward(x.value, y);
      layer.backward(x.value, y, dy, x.gradient);
      trial.compare(y, dy, function(x.tensor), {{"x", &x}});
    }
}

TEMPLATE_TEST_CASE("LayerNorm", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("LayerNorm");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index dim = draw.between(6, 70), columns = draw.between(1, 40);
    const double epsilon = draw.coin() ? 1e-5 : draw.uniform(1e-6, 1e-2);
    Layout layout;
    const Axis time = layout.axis();
    const heed::LayerNorm<S> layer(Scope(layout, time), dim, epsilon);
    Trial<S> trial(comparison, layout);
    nn::LayerNorm module(nn::LayerNormOptions({dim}).eps(epsilon));
    trial.load(*module);

    Variable<S> x(draw, dim, columns, draw.uniform(0.2, 5));
    Tokens<S> y(dim, columns);
    const auto dy = draw.tokens<S>(dim, columns);
    trial.a.begin(time, {columns});
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);
    trial.compare(y, dy, module(x.tensor), {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("MultiHeadAttention", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("MultiHeadAttention");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Index heads = draw.between(1, 4), dim = draw.size_of_heads<S>(heads);
    const Sight sight = Sight::draw(draw);
    const Sequences sequences = draw.lengths(draw.between(1, 6));
    const bool at_once = draw.coin();
    Layout layout;
    const Axis time = layout.axis();
    const heed::MultiHeadAttention<S> layer(Scope(layout, time), dim, heads, sight.mask);
    Trial<S> trial(comparison, layout);
    nn::MultiheadAttention module(nn::MultiheadAttentionOptions(dim, heads));
    trial.load(*module);

    Variable<S> x(draw, dim, sequences.columns());
    Tokens<S> y(dim, sequences.columns());
    const auto dy = draw.tokens<S>(dim, sequences.columns());
    trial.a.begin(time, sequences);
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);

    const Tensor expected = ragged(x.tensor, sequences, sight, at_once,
                                   [&](const Tensor& tokens, const Tensor& bias, const Tensor& padding) {
                                     return std::get<0>(module(tokens, tokens, tokens, padding, false, bias));
                                   });
    trial.compare(y, dy, expected, {{"x", &x}});

    const Index length = sequences.length(0), head = draw.below(heads);
    Tokens<S> weights(length, length);
    layer.weights(trial.p, trial.a, 0, head, weights);
    const Tensor first = tokens_of(x.tensor, sequences, 0).unsqueeze(1);
    const Tensor all = std::get<1>(
        module(first, first, first, Tensor(), true, sight.bias(length, length, dtype<S>()), /*average=*/false));
    comparison.compare_tokens("weights", weights, all[0][head]);
  }
}

TEMPLATE_TEST_CASE("MultiHeadAttention with bias_k, bias_v and add_zero_attn", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("MultiHeadAttention with a memory token or a sink");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Index heads = draw.between(1, 4), dim = draw.size_of_heads<S>(heads);
    const bool token = draw.coin(), sink = !token || draw.coin();
    const Sight sight = Sight::draw(draw);
    const Sequences sequences = draw.lengths(draw.between(1, 4));
    Layout layout;
    const Axis time = layout.axis();
    const heed::MultiHeadAttention<S> layer(
        Scope(layout, time),
        {.dim = dim, .heads = heads, .mask = sight.mask, .memory_tokens = Index(token), .sink = sink});
    Trial<S> trial(comparison, layout);
    Variable<S> x(draw, dim, sequences.columns());
    Tokens<S> y(dim, sequences.columns());
    const auto dy = draw.tokens<S>(dim, sequences.columns());
    trial.a.begin(time, sequences);
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);

    namespace f = torch::nn::functional;
    const Tensor expected =
        ragged(x.tensor, sequences, sight, false, [&](const Tensor& tokens, const Tensor& bias, const Tensor& padding) {
          const auto of = [&](const char* name) { return token ? trial[name].view({1, 1, dim}) : Tensor(); };
          auto options = f::MultiheadAttentionForwardFuncOptions(
              dim, heads, trial["in_proj_weight"], trial["in_proj_bias"], of("memory_keys"), of("memory_values"), sink,
              0.0, trial["out_proj.weight"], trial["out_proj.bias"]);
          return std::get<0>(f::multi_head_attention_forward(
              tokens, tokens, tokens,
              options.training(false).key_padding_mask(padding).need_weights(false).attn_mask(bias)));
        });
    trial.compare(y, dy, expected, {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("CrossAttention", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("CrossAttention");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Index heads = draw.between(1, 4), dim = draw.size_of_heads<S>(heads), widths = draw.below(3);
    const Index key_dim = widths == 0 ? dim : draw.size<S>(40);
    const Index value_dim = widths < 2 ? key_dim : draw.size<S>(40);
    const Sight sight = Sight::draw(draw, 2);
    const Index count = draw.between(1, 6);
    const Sequences queries = draw.lengths(count), keys = draw.lengths(count);
    Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    const heed::CrossAttention<S> layer(Scope(layout, time), source, {.dim = dim, .heads = heads, .mask = sight.mask},
                                        key_dim, value_dim);
    Trial<S> trial(comparison, layout);
    nn::MultiheadAttention module(nn::MultiheadAttentionOptions(dim, heads).kdim(key_dim).vdim(value_dim));
    trial.load(*module);

    Variable<S> x(draw, dim, queries.columns()), key(draw, key_dim, keys.columns()),
        value(draw, value_dim, keys.columns());
    Tokens<S> y(dim, queries.columns());
    const auto dy = draw.tokens<S>(dim, queries.columns());
    trial.a.begin(time, queries);
    trial.a.begin(source, keys);
    layer.forward(trial.p, x.value, key.value, value.value, y, trial.a);
    layer.backward(trial.p, x.value, key.value, value.value, dy, trial.a, trial.g, x.gradient, key.gradient,
                   value.gradient);

    // LibTorch's module, unlike Python's, takes keys and values of one width only.
    const auto attend = [&](const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
      if (key_dim == value_dim)
        return std::get<0>(module(q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1), Tensor(), false, bias)).squeeze(1);
      const auto part = [&](const Tensor& from, const char* weight, Index which) {
        const Tensor all = torch::linear(from, trial[weight], trial["in_proj_bias"].narrow(0, which * dim, dim));
        return all.view({from.size(0), heads, dim / heads}).transpose(0, 1);
      };
      const Tensor scores = torch::matmul(part(q, "q_proj_weight", 0), part(k, "k_proj_weight", 1).transpose(1, 2));
      const Tensor weights = torch::softmax(scores / std::sqrt(double(dim / heads)) + bias, -1);
      const Tensor mixed = torch::matmul(weights, part(v, "v_proj_weight", 2)).transpose(0, 1);
      return module->out_proj(mixed.reshape({q.size(0), dim}));
    };
    const Tensor expected = each_pair(
        x.tensor, queries, keys, sight, module->out_proj->bias, [&](const Tensor& q, Index i, const Tensor& bias) {
          return attend(q, tokens_of(key.tensor, keys, i), tokens_of(value.tensor, keys, i), bias);
        });
    trial.compare(y, dy, expected, {{"x", &x}, {"key", &key}, {"value", &value}});
  }
}

TEMPLATE_TEST_CASE("DotProductAttention", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("DotProductAttention");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Index heads = draw.between(1, 4), key_width = draw.size<S>(20), value_width = draw.size<S>(20);
    const Index dim = heads * key_width, value_dim = heads * value_width, count = draw.between(1, 6);
    const Sight sight = Sight::draw(draw, 2);
    const Sequences queries = draw.lengths(count), keys = draw.lengths(count);
    Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    const heed::DotProductAttention<S> layer(Scope(layout, time), source,
                                             {.dim = dim, .value_dim = value_dim, .heads = heads, .mask = sight.mask});
    Trial<S> trial(comparison, layout);

    Variable<S> q(draw, dim, queries.columns()), k(draw, dim, keys.columns()), v(draw, value_dim, keys.columns());
    Tokens<S> y(value_dim, queries.columns());
    const auto dy = draw.tokens<S>(value_dim, queries.columns());
    trial.a.begin(time, queries);
    trial.a.begin(source, keys);
    layer.forward(trial.p, q.value, k.value, v.value, y, trial.a);
    layer.backward(trial.p, q.value, k.value, v.value, y, dy, trial.a, trial.g, q.gradient, k.gradient, v.gradient);

    const Tensor expected =
        each_pair(q.tensor, queries, keys, sight, torch::zeros({value_dim}, dtype<S>()),
                  [&](const Tensor& query, Index i, const Tensor& bias) {
                    std::vector<Tensor> all;
                    for (Index h = 0; h < heads; ++h) {
                      const Tensor of_query = query.narrow(1, h * key_width, key_width);
                      const Tensor of_key = tokens_of(k.tensor, keys, i).narrow(1, h * key_width, key_width);
                      const Tensor of_value = tokens_of(v.tensor, keys, i).narrow(1, h * value_width, value_width);
                      const Tensor scores = torch::matmul(of_query, of_key.t()) / std::sqrt(double(key_width));
                      all.push_back(torch::matmul(torch::softmax(scores + bias, 1), of_value));
                    }
                    return torch::cat(all, 1);
                  });
    trial.compare(y, dy, expected, {{"q", &q}, {"k", &k}, {"v", &v}});
  }
}

TEMPLATE_TEST_CASE("AdditiveAttention", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("AdditiveAttention");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index query_dim = draw.size<S>(20), key_dim = draw.size<S>(20), count = draw.between(1, 6);
    const Index width = draw.size<S>(140);
    const Sight sight = Sight::draw(draw, 2);
    const Sequences queries = draw.lengths(count), keys = draw.lengths(count);
    Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    const heed::AdditiveAttention<S> layer(
        Scope(layout, time), source, {.query_dim = query_dim, .key_dim = key_dim, .width = width, .mask = sight.mask});
    Trial<S> trial(comparison, layout);

    Variable<S> q(draw, query_dim, queries.columns()), k(draw, key_dim, keys.columns());
    Tokens<S> y(key_dim, queries.columns());
    const auto dy = draw.tokens<S>(key_dim, queries.columns());
    trial.a.begin(time, queries);
    trial.a.begin(source, keys);
    layer.forward(trial.p, q.value, k.value, y, trial.a);
    layer.backward(trial.p, q.value, k.value, y, dy, trial.a, trial.g, q.gradient, k.gradient);

    const Tensor expected =
        each_pair(q.tensor, queries, keys, sight, torch::zeros({key_dim}, dtype<S>()),
                  [&](const Tensor& query, Index i, const Tensor& bias) {
                    const Tensor key = tokens_of(k.tensor, keys, i);
                    const Tensor aligned = torch::tanh(torch::linear(query, trial["query.weight"]).unsqueeze(1) +
                                                       torch::linear(key, trial["key.weight"]).unsqueeze(0));
                    return torch::matmul(torch::softmax(torch::matmul(aligned, trial["v"]) + bias, 1), key);
                  });
    trial.compare(y, dy, expected, {{"q", &q}, {"k", &k}});
  }
}

TEMPLATE_TEST_CASE("AdditivePooling", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("AdditivePooling");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index dim = draw.size<S>(40), width = draw.size<S>(40);
    const Sequences sequences = draw.lengths(draw.between(1, 8));
    Layout layout;
    const Axis time = layout.axis(), entities = layout.axis(time);
    const heed::AdditivePooling<S> layer(Scope(layout, entities), dim, width);
    Trial<S> trial(comparison, layout);

    Variable<S> x(draw, dim, sequences.columns());
    Tokens<S> y(dim, sequences.count());
    const auto dy = draw.tokens<S>(dim, sequences.count());
    trial.a.begin(time, {sequences.count()});
    trial.a.begin(entities, sequences);
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);

    std::vector<Tensor> pooled;
    for (Index i = 0; i < sequences.count(); ++i) {
      const Tensor tokens = tokens_of(x.tensor, sequences, i);  // the sum over no tokens is zero
      const Tensor u = torch::tanh(torch::linear(tokens, trial["attention.weight"], trial["attention.bias"]));
      const Tensor weights = torch::softmax(torch::matmul(u, trial["context_vector"]), 0);
      pooled.push_back((weights.unsqueeze(1) * tokens).sum(0));
    }
    trial.compare(y, dy, torch::stack(pooled), {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("Pooling", "", float, double) {
  using S = TestType;
  using heed::PoolingKind;
  Comparison<S> comparison("Pooling");
  Draw& draw = comparison.draw;
  for (const PoolingKind kind : {PoolingKind::mean, PoolingKind::max, PoolingKind::last})
    for (int i = 0; i < draws; ++i) {
      INFO("kind " << int(kind));
      const Index dim = draw.size<S>(40);
      const Sequences sequences = draw.lengths(draw.between(1, 8));
      Layout layout;
      const Axis time = layout.axis(), entities = layout.axis(time);
      const heed::Pooling<S> layer(Scope(layout, entities), kind);
      Trial<S> trial(comparison, layout);

      Variable<S> x(draw, dim, sequences.columns());
      Tokens<S> y(dim, sequences.count());
      const auto dy = draw.tokens<S>(dim, sequences.count());
      trial.a.begin(time, {sequences.count()});
      trial.a.begin(entities, sequences);
      layer.forward(x.value, y, trial.a);
      layer.backward(x.value, dy, trial.a, x.gradient);

      std::vector<Tensor> pooled;
      for (Index s = 0; s < sequences.count(); ++s) {
        const Tensor tokens = tokens_of(x.tensor, sequences, s);
        pooled.push_back(tokens.size(0) == 0         ? torch::zeros({dim}, dtype<S>())
                         : kind == PoolingKind::mean ? tokens.mean(0)
                         : kind == PoolingKind::max  ? std::get<0>(tokens.max(0))
                                                     : tokens[-1]);
      }
      trial.compare(y, dy, torch::stack(pooled), {{"x", &x}});
    }
}

TEMPLATE_TEST_CASE("TransformerBlock", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("TransformerBlock");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Index heads = draw.between(1, 4), dim = heads * draw.between(6, 12), inner = draw.size<S>(60);
    const Sight sight = Sight::draw(draw);
    const Sequences sequences = draw.lengths(draw.between(1, 5));
    const bool norm_first = draw.coin(), relu = draw.coin(), at_once = draw.coin();
    Layout layout;
    const Axis time = layout.axis();
    const heed::TransformerBlock<S> layer(Scope(layout, time),
                                          {.dim = dim,
                                           .heads = heads,
                                           .inner = inner,
                                           .mask = sight.mask,
                                           .norm_first = norm_first,
                                           .activation = relu ? Nonlinearity::relu : Nonlinearity::gelu});
    Trial<S> trial(comparison, layout);
    nn::TransformerEncoderLayerOptions options(dim, heads);
    options.dim_feedforward(inner).dropout(0);
    if (!relu) options.activation(torch::kGELU);
    nn::TransformerEncoderLayer module(options);
    trial.load(*module);

    Variable<S> x(draw, dim, sequences.columns());
    Tokens<S> y(dim, sequences.columns());
    const auto dy = draw.tokens<S>(dim, sequences.columns());
    trial.a.begin(time, sequences);
    layer.forward(trial.p, x.value, y, trial.a);
    layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);
    if (relu && trial.a[layer.feed_forward.inner].cwiseAbs().minCoeff() < tolerance<S>) {
      --comparison.drawn;  // so close to ReLU's kink that rounding chooses the side
      continue;
    }

    // Python's module has norm_first; LibTorch's has not, so the layers of it are called one by one.
    const auto pre_norm = [&](const Tensor& from, const Tensor& bias, const Tensor& padding) {
      const Tensor normed = module->norm1(from);
      const Tensor h = from + std::get<0>(module->self_attn(normed, normed, normed, padding, false, bias));
      const Tensor fed = module->linear1(module->norm2(h));
      return h + module->linear2(relu ? torch::relu(fed) : torch::gelu(fed));
    };
    const Tensor expected =
        ragged(x.tensor, sequences, sight, at_once, [&](const Tensor& from, const Tensor& bias, const Tensor& padding) {
          return norm_first ? pre_norm(from, bias, padding) : module(from, bias, padding);
        });
    trial.compare(y, dy, expected, {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("SinusoidalPositionalEncoding", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("SinusoidalPositionalEncoding");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index dim = draw.size<S>(40);
    Sequences sequences = draw.lengths(draw.between(1, 6));
    if (draw.below(4) == 0) sequences.append(draw.between(1000, 3000));
    Layout layout;
    const Axis time = layout.axis();
    const heed::SinusoidalPositionalEncoding<S> layer(Scope(layout, time));
    Trial<S> trial(comparison, layout);
    Variable<S> x(draw, dim, sequences.columns());
    Tokens<S> y(dim, sequences.columns());
    const auto dy = draw.tokens<S>(dim, sequences.columns());
    trial.a.begin(time, sequences);
    layer.forward(x.value, y, trial.a);
    layer.backward(dy, x.gradient);

    std::vector<Tensor> all;
    for (Index i = 0; i < sequences.count(); ++i) {
      const Tensor position = torch::arange(sequences.length(i), torch::kDouble).unsqueeze(1);
      const Tensor angle =
          position * torch::exp(torch::arange(0, dim, 2, torch::kDouble) * (-std::log(10000.0) / double(dim)));
      const Tensor turns = torch::stack({torch::sin(angle), torch::cos(angle)}, 2).flatten(1).narrow(1, 0, dim);
      all.push_back(tokens_of(x.tensor, sequences, i) + turns.to(dtype<S>()));
    }
    trial.compare(y, dy, torch::cat(all), {{"x", &x}});
  }
}

TEMPLATE_TEST_CASE("Categorical", "", float, double) {
  using S = TestType;
  using heed::Categorical;
  Comparison<S> comparison("Categorical");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index actions = draw.between(2, 12), columns = draw.between(10, 30);
    Trial<S> trial(comparison, Layout());
    const double scale = draw.uniform(0.1, 3);
    Variable<S> logits(draw, actions, columns, scale), others(draw, actions, columns, scale);
    Tokens<bool> mask = Tokens<bool>::Constant(actions, columns, true);
    if (draw.coin())
      for (Index j = 0; j < columns; ++j)
        for (Index i = 2; i < actions; ++i) mask(i, j) = draw.coin();
    logits.gradient.setZero();

    Tokens<S> y(4, columns);
    const auto dy = draw.tokens<S>(4, columns);
    std::vector<Tensor> expected;
    for (Index j = 0; j < columns; ++j) {
      const Categorical<S> pi(logits.value, j, mask), other(others.value, j, mask);
      const Index action = pi.sample(draw);
      y.col(j) << pi.log_prob(action), pi.probability(action), pi.entropy(), pi.divergence(other);
      // d p = p d log p
      pi.add_log_prob_gradient(action, dy(0, j) + y(1, j) * dy(1, j), logits.gradient.col(j));
      pi.add_entropy_gradient(dy(2, j), logits.gradient.col(j));
      pi.add_divergence_gradient(other, dy(3, j), logits.gradient.col(j));

      std::vector<std::int64_t> allowed;
      Index chosen = 0;
      for (Index i = 0; i < actions; ++i) {
        if (i == action) chosen = Index(allowed.size());
        if (mask(i, j)) allowed.push_back(i);
      }
      const Tensor indices = torch::tensor(allowed, torch::kLong);
      const Tensor log_p = torch::log_softmax(logits.tensor[j].index_select(0, indices), 0), p = log_p.exp();
      const Tensor log_q = torch::log_softmax(others.tensor[j].index_select(0, indices), 0);
      expected.push_back(torch::stack({log_p[chosen], p[chosen], -(p * log_p).sum(), (p * (log_p - log_q)).sum()}));
    }
    trial.compare(y, dy, torch::stack(expected), {{"logits", &logits}});
  }
}

namespace {

/// Twenty steps of an optimizer of heed and one of PyTorch on the same random gradients; weight decay is for matrices.
template <class S, class Optimizer, class Options>
void compare_steps(Comparison<S>& comparison, const typename Optimizer::Config& config, const Options& options) {
  Draw& draw = comparison.draw;
  Layout layout;
  const Axis time = layout.axis();
  const heed::Linear<S> first(Scope(layout, time, "first"), draw.size<S>(40), draw.size<S>(40));
  const heed::Linear<S> second(Scope(layout, time, "second"), draw.size<S>(40), draw.size<S>(40), draw.coin());
  Trial<S> trial(comparison, layout);
  Optimizer optimizer(layout, config);

  std::vector<Tensor> matrices, vectors;
  for (const heed::Entry& e : layout.entries()) (e.shape.rank() > 1 ? matrices : vectors).push_back(trial[e.name]);
  Options without_decay = options;
  without_decay.weight_decay(0);
  using Theirs = std::conditional_t<
      std::is_same_v<Options, torch::optim::SGDOptions>, torch::optim::SGD,
      std::conditional_t<std::is_same_v<Options, torch::optim::AdamOptions>, torch::optim::Adam, torch::optim::AdamW>>;
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(matrices, std::make_unique<Options>(options));
  groups.emplace_back(vectors, std::make_unique<Options>(without_decay));
  Theirs theirs(groups, options);

  const Eigen::Matrix<S, heed::Dynamic, 1> start = trial.p.flat;
  std::map<std::string, Tensor> started;
  for (const heed::Entry& e : layout.entries()) started[e.name] = trial[e.name].detach().clone();
  for (int step = 0; step < 20; ++step) {
    draw.fill(trial.g.flat, draw.uniform(0.1, 2));
    for (const heed::Entry& e : layout.entries()) {
      const Tensor& weight = trial[e.name];
      weight.mutable_grad() = torch::from_blob(trial.g.flat.data() + e.offset, weight.sizes(), dtype<S>()).clone();
    }
    optimizer.step(trial.p.flat, trial.g.flat);
    theirs.step();
    for (const heed::Entry& e : layout.entries())
      comparison.compare(e.name, trial.p.flat.segment(e.offset, e.size()), trial[e.name]);
  }
  for (const heed::Entry& e : layout.entries())
    comparison.compare("movement of " + e.name, (trial.p.flat - start).segment(e.offset, e.size()),
                       trial[e.name] - started[e.name]);
}

}  // namespace

TEMPLATE_TEST_CASE("Sgd", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("Sgd");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const double eta = draw.uniform(0.01, 0.1), decay = draw.coin() ? draw.uniform(0, 0.1) : 0;
    const double momentum = draw.below(4) == 0 ? 0 : draw.uniform(0.5, 0.95);
    const bool nesterov = momentum > 0 && draw.coin();
    compare_steps<S, heed::Sgd<S>>(
        comparison, {.learning_rate = eta, .momentum = momentum, .weight_decay = decay, .nesterov = nesterov},
        torch::optim::SGDOptions(eta).momentum(momentum).weight_decay(decay).nesterov(nesterov));
  }
}

TEMPLATE_TEST_CASE("Adam and AdamW", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("Adam and AdamW");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const double eta = draw.uniform(0.003, 0.03), beta1 = draw.uniform(0.8, 0.95), beta2 = draw.uniform(0.9, 0.999);
    const double epsilon = draw.coin() ? 1e-8 : 1e-5, decay = draw.coin() ? draw.uniform(0, 0.5) : 0;
    const typename heed::Adam<S>::Config config{
        .learning_rate = eta, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay};
    if (decay > 0)
      compare_steps<S, heed::Adam<S>>(
          comparison, config, torch::optim::AdamWOptions(eta).betas({beta1, beta2}).eps(epsilon).weight_decay(decay));
    else
      compare_steps<S, heed::Adam<S>>(comparison, config,
                                      torch::optim::AdamOptions(eta).betas({beta1, beta2}).eps(epsilon));
  }
}

TEMPLATE_TEST_CASE("clip_norm", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("clip_norm");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    Layout layout;
    const heed::Linear<S> layer(Scope(layout, layout.axis()), draw.size<S>(40), draw.size<S>(40));
    Trial<S> trial(comparison, layout);
    draw.fill(trial.g.flat, draw.uniform(0.01, 2));
    std::vector<Tensor> weights;
    for (const heed::Entry& e : layout.entries()) {
      const Tensor& weight = trial[e.name];
      weight.mutable_grad() = torch::from_blob(trial.g.flat.data() + e.offset, weight.sizes(), dtype<S>()).clone();
      weights.push_back(weight);
    }
    const double max_norm = draw.uniform(0.5, 1.5) * double(trial.g.flat.norm());
    const double expected = nn::utils::clip_grad_norm_(weights, max_norm);
    const S norm = heed::clip_norm(trial.g.flat, max_norm);
    comparison.compare("norm", Tokens<S>::Constant(1, 1, norm), torch::full({1}, expected, torch::kDouble));
    for (const heed::Entry& e : layout.entries())
      comparison.compare(e.name, trial.g.flat.segment(e.offset, e.size()), trial[e.name].grad());
  }
}
