// PyTorch's state_dicts, as tests/parity/make_pytorch_files.py wrote them: heed's layers load them as they are, and
// give the same answers.
#include <cstdlib>
#include <map>
#include <string>

#include "heed/io/safetensors.hpp"
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/embedding.hpp"
#include "heed/layers/gru.hpp"
#include "heed/layers/lstm.hpp"
#include "heed/layers/transformer.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "support/files.hpp"

namespace {

namespace fs = std::filesystem;
using namespace heed;
using support::Folder;

const fs::path files = fs::path(HEED_TEST_DATA) / "pytorch";
const std::vector<Index> time_lengths{3, 1, 5}, source_lengths{2, 4, 3};

/// What Policy of make_pytorch_files.py is, by its names.
template <class S>
struct MyPolicy {
  using Scalar = S;
  struct Config {};
  Linear<S> embed;
  TransformerEncoder<S> encoder;
  Gru<S> memory;
  Linear<S> actor_0, actor_2, critic;
  Activation<S> tanh{Nonlinearity::tanh};
  Columns<> embedded, encoded, remembered, hidden;

  explicit MyPolicy(Scope at, Config = {})
      : embed(at / "embed", 5, 8),
        encoder(at / "encoder", {.layers = 2,
                                 .block = {.dim = 8, .heads = 2, .inner = 12, .mask = Causal(), .norm_first = false},
                                 .norm = true}),
        memory(at / "memory", {.in = 8, .hidden = 6}),
        actor_0(at / "actor" / 0, 6, 7),
        actor_2(at / "actor" / 2, 7, 3),
        critic(at / "critic", 6, 1),
        embedded(at.columns(8)),
        encoded(at.columns(8)),
        remembered(at.columns(6)),
        hidden(at.columns(7)) {}

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    embed.forward(p, x, a[embedded]);
    tanh.forward(a[embedded], a[embedded]);
    encoder.forward(p, a[embedded], a[encoded], a);
    memory.forward(p, a[encoded], a[remembered], a);
    actor_0.forward(p, a[remembered], a[hidden]);
    tanh.forward(a[hidden], a[hidden]);
    actor_2.forward(p, a[hidden], y.topRows(3));
    critic.forward(p, a[remembered], y.bottomRows(1));
  }
};

/// A batch: of each token a column.
template <class S>
struct Batch {
  Tokens<S> x, source, y;
};

/// visit(name, make, forward) for each module that there is a file of: make(at, source) builds heed's layer,
/// forward(layer, p, batch, a) puts into batch.y what it answers to batch.x and batch.source.
template <class S, class Visit>
void each_module(Visit visit) {
  const auto plain = [](auto& layer, auto p, Batch<S>& of, auto) { layer.forward(p, of.x, of.y); };
  const auto ragged = [](auto& layer, auto p, Batch<S>& of, auto a) { layer.forward(p, of.x, of.y, a); };
  const auto sourced = [](auto& layer, auto p, Batch<S>& of, auto a) { layer.forward(p, of.x, of.source, of.y, a); };

  visit(
      "linear", [](Scope at, Axis) { return Linear<S>(at, 5, 4); }, plain);
  visit(
      "linear_no_bias", [](Scope at, Axis) { return Linear<S>(at, 5, 4, false); }, plain);
  visit(
      "layer_norm", [](Scope at, Axis) { return LayerNorm<S>(at, 5); }, ragged);
  visit(
      "embedding", [](Scope at, Axis) { return Embedding<S>(at, 7, 4); }, plain);

  for (const bool bias : {true, false}) {
    const std::string end = bias ? "" : "_no_bias";
    visit(
        "attention" + end,
        [=](Scope at, Axis) { return MultiHeadAttention<S>(at, {.dim = 6, .heads = 3, .bias = bias}); }, ragged);
    visit(
        "attention_widths" + end,
        [=](Scope at, Axis source) {
          return CrossAttention<S>(at, source, {.dim = 6, .heads = 3, .bias = bias}, 5, 4);
        },
        [](auto& layer, auto p, Batch<S>& of, auto a) {
          layer.forward(p, of.x, of.source, of.source.topRows(4), of.y, a);
        });
  }

  const auto block = [](bool norm_first, Nonlinearity f) {
    return typename TransformerBlock<S>::Config{
        .dim = 6, .heads = 3, .inner = 10, .norm_first = norm_first, .activation = f};
  };
  for (const bool pre : {false, true})
    for (const Nonlinearity f : {Nonlinearity::relu, Nonlinearity::gelu})
      visit(
          std::string("encoder_layer_") + (pre ? "pre" : "post") + (f == Nonlinearity::relu ? "_relu" : "_gelu"),
          [=](Scope at, Axis) { return TransformerBlock<S>(at, block(pre, f)); }, ragged);
  visit(
      "encoder_post",
      [=](Scope at, Axis) {
        return TransformerEncoder<S>(at, {.layers = 2, .block = block(false, Nonlinearity::relu)});
      },
      ragged);
  visit(
      "encoder_pre",
      [=](Scope at, Axis) {
        return TransformerEncoder<S>(at, {.layers = 2, .block = block(true, Nonlinearity::gelu), .norm = true});
      },
      ragged);

  const auto decoder_block = [](bool norm_first, Nonlinearity f) {
    return typename TransformerDecoderBlock<S>::Config{
        .dim = 6, .heads = 2, .inner = 10, .norm_first = norm_first, .activation = f};
  };
  for (const bool pre : {false, true})
    visit(
        std::string("decoder_layer_") + (pre ? "pre" : "post"),
        [=](Scope at, Axis source) {
          return TransformerDecoderBlock<S>(at, source,
                                            decoder_block(pre, pre ? Nonlinearity::gelu : Nonlinearity::relu));
        },
        sourced);
  visit(
      "decoder",
      [=](Scope at, Axis source) {
        return TransformerDecoder<S>(at, source,
                                     {.layers = 2, .block = decoder_block(true, Nonlinearity::relu), .norm = true});
      },
      sourced);
  visit(
      "transformer",
      [](Scope at, Axis source) {
        return Transformer<S>(
            at, source,
            {.dim = 6, .heads = 2, .encoder_layers = 1, .decoder_layers = 1, .inner = 8, .norm_first = false});
      },
      [](auto& layer, auto p, Batch<S>& of, auto a) { layer.forward(p, of.source, of.x, of.y, a); });

  visit(
      "gru", [](Scope at, Axis) { return Gru<S>(at, {.in = 5, .hidden = 4, .layers = 2, .bidirectional = true}); },
      ragged);
  visit(
      "lstm", [](Scope at, Axis) { return Lstm<S>(at, {.in = 5, .hidden = 4, .layers = 2, .bidirectional = true}); },
      ragged);

  visit(
      "policy", [](Scope at, Axis) { return MyPolicy<S>(at); }, ragged);
  visit(
      "heeds_transformer_policy",
      [](Scope at, Axis) {
        return TransformerPolicy<S>(
            at, {.observation = 5, .actions = 3, .width = 8, .heads = 2, .layers = 2, .value = true});
      },
      [](auto& net, auto p, Batch<S>& of, auto a) {
        net.forward(p, of.x, a);
        of.y << a[net.logits], a[net.value];
      });
}

/// Tokens of an example: [tokens, features] in PyTorch. None where there are none.
template <class S>
Tokens<S> tokens_of(const std::string& name, const std::string& what) {
  detail::EntryFile file(files / (name + "_example.safetensors"));
  const detail::TensorInfo* const t = file.find(what);
  if (!t) return {};
  Tokens<double> all(Index(t->shape[1]), Index(t->shape[0]));
  REQUIRE(t->dtype == "F64");
  file.read(*t, all.data());
  return all.cast<S>();
}

/// A layer of heed's in a layout of its own, and PyTorch's example.
template <class S, class Make>
struct Module {
  Layout layout;
  Axis time = layout.axis(), source = layout.axis();
  std::invoke_result_t<Make, Scope, Axis> layer;
  Parameters<S> p;
  Activations<S> a;
  Batch<S> batch;

  Module(const std::string& name, Make make, std::uint64_t seed)
      : layer(make(Scope(layout, time), source)),
        p(layout, seed),
        a(layout),
        batch{tokens_of<S>(name, "x"), tokens_of<S>(name, "source"), tokens_of<S>(name, "y")} {
    const auto begin = [&](Axis axis, const std::vector<Index>& lengths) {
      a.begin(axis, Index(lengths.size()), [&](Index i) { return lengths[std::size_t(i)]; });
    };
    begin(time, time_lengths);
    begin(source, source_lengths);
  }
  template <class Forward>
  void run(Forward forward) {
    batch.y.setConstant(std::numeric_limits<S>::quiet_NaN());
    forward(layer, ParametersView<const S>(p), batch, ActivationsView<S>(a));
  }
};

/// A batch as a file that Python reads.
template <class S>
void save_example(const fs::path& path, const Batch<S>& batch) {
  Layout layout;
  const Scope at(layout, layout.axis());
  const auto place = [&](const char* name, const Tokens<S>& tokens) {
    return tokens.size() == 0 ? Weight<>() : at.weight<Dynamic, Dynamic>(name, {tokens.cols(), tokens.rows()}, zero());
  };
  const Weight<> x = place("x", batch.x), source = place("source", batch.source), y = place("y", batch.y);
  Parameters<S> p(layout);
  p[x] = batch.x.transpose();
  if (source) p[source] = batch.source.transpose();
  p[y] = batch.y.transpose();
  save(path, layout, p);
}

}  // namespace

TEMPLATE_TEST_CASE("pytorch: a state_dict is loaded by its own names and gives the same answers", "", float, double) {
  using S = TestType;
  int modules = 0;
  each_module<S>([&](const std::string& name, auto make, auto forward) {
    INFO(name);
    ++modules;
    Module<S, decltype(make)> module(name, make, 1);
    const Tokens<S> expected = module.batch.y;
    CHECK(load(files / (name + ".safetensors"), module.layout, module.p) == module.layout.entries().size());
    module.run(forward);
    CHECK((module.batch.y - expected).template lpNorm<Eigen::Infinity>() <= (sizeof(S) == 4 ? S(1e-5) : S(1e-10)));
  });
  CHECK(2 * modules == int(std::distance(fs::directory_iterator(files), {})));  // each with an example
}

TEST_CASE("pytorch: a policy of one's own as an agent, and a part of it") {
  Agent<MyPolicy<float>> agent({}, 1);
  Agent<MyPolicy<float>> other({}, 2);
  CHECK(load(files / "policy.safetensors", agent) == agent.layout.entries().size());
  CHECK(load(files / "policy.safetensors", other, "encoder.layers.1.*") == 12);
  for (const Entry& e : agent.layout.entries()) {
    INFO(e.name);
    CHECK((agent.p.flat.segment(e.offset, e.size()) == other.p.flat.segment(e.offset, e.size())) ==
          e.name.starts_with("encoder.layers.1."));
  }
}

// With HEED_FILES_FOR_PYTORCH=directory they stay there, for tests/parity/read_heed_file.py.
TEST_CASE("pytorch: what heed saves has the names and shapes of the state_dict") {
  const Folder folder;
  const char* asked = std::getenv("HEED_FILES_FOR_PYTORCH");
  const fs::path to = asked ? fs::path(asked) : folder.path;
  each_module<float>([&](const std::string& name, auto make, auto forward) {
    INFO(name);
    Module<float, decltype(make)> module(name, make, 3);
    module.run(forward);
    save(to / (name + ".safetensors"), module.layout, module.p, {{"format", "pt"}});
    save_example(to / (name + "_example.safetensors"), module.batch);

    const detail::EntryFile ours(to / (name + ".safetensors")), theirs(files / (name + ".safetensors"));
    REQUIRE(ours.tensors().size() == theirs.tensors().size());
    for (std::size_t i = 0; i < ours.tensors().size(); ++i) {
      CHECK(ours.tensors()[i].name == theirs.tensors()[i].name);
      CHECK(ours.tensors()[i].shape == theirs.tensors()[i].shape);
      CHECK(ours.tensors()[i].dtype == theirs.tensors()[i].dtype);
    }
  });
}
