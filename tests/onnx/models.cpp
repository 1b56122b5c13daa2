// Writes ONNX models into a directory, each with random inputs and what heed answers to them, as JSON:  models DIRECTORY
#include <cstdio>
#include <fstream>
#include <functional>
#include <heed/heed.hpp>
#include <heed/io/onnx.hpp>
#include <nlohmann/json.hpp>

namespace {

using namespace heed;
using Json = nlohmann::json;

/// A layer as a network of its own: y = layer(observation), where a layer that asks others asks the observation, too.
template <class Layer>
struct Alone {
  using Scalar = float;
  struct Config {
    Index observation, out;
    std::function<Layer(Scope)> make;
    bool nested = false, pools = false;
    Index entities = 0;  // where it must be so many
  };
  Axis time, input;
  Layer layer;
  Columns<> y;
  Index observation;

  Alone(Scope at, const Config& c)
      : time(at.axis()),
        input(c.nested ? at.child_axis() : time),
        layer(c.make(at.along(input))),
        y((c.pools ? at : at.along(input)).columns(c.out)),
        observation(c.observation) {}

  void forward(ParametersView<const float> p, Read<float> x, ActivationsView<float> a) const {
    Write<float> to = a[y];
    if constexpr (requires { layer.forward(p, x, x, x, to, a); })
      layer.forward(p, x, x, x, to, a);
    else if constexpr (requires { layer.forward(p, x, x, to, a); })
      layer.forward(p, x, x, to, a);
    else if constexpr (requires { layer.forward(p, x, to, a); })
      layer.forward(p, x, to, a);
    else if constexpr (requires { layer.forward(p, x, to); })
      layer.forward(p, x, to);
    else if constexpr (requires { layer.forward(x, to, a); })
      layer.forward(x, to, a);
    else
      layer.forward(x, to);
  }
  void graph(Graph& g) const {
    const Node x = g.input("observation", input, observation);
    const auto answer = [&] {
      if constexpr (requires { layer.graph(g, x, x, x); })
        return layer.graph(g, x, x, x);
      else if constexpr (
          requires { layer.graph(g, x, x); } && !requires { layer.graph(g, x); })
        return layer.graph(g, x, x);
      else
        return layer.graph(g, x);
    };
    g.output("y", answer(), y.axis);
  }
};

/// A layer that asks others, of which there are more than who ask: y = layer(observation, source, source).
template <class Layer>
struct Asking {
  using Scalar = float;
  struct Config {
    Index observation, out, source_dim;
    std::function<Layer(Scope, Axis source)> make;
  };
  Axis time, input, source_axis;
  Layer layer;
  Columns<> source, y;
  Index observation;

  Asking(Scope at, const Config& c)
      : time(at.axis()),
        input(time),
        source_axis(at.new_axis()),
        layer(c.make(at, source_axis)),
        source(at.along(source_axis).columns(c.source_dim)),
        y(at.columns(c.out)),
        observation(c.observation) {}

  void forward(ParametersView<const float> p, Read<float> x, ActivationsView<float> a) const {
    if constexpr (requires { layer.forward(p, x, x, x, a[y], a); })
      layer.forward(p, x, a[source], a[source], a[y], a);
    else
      layer.forward(p, x, a[source], a[y], a);
  }
  void graph(Graph& g) const {
    const Node x = g.input("observation", time, observation), from = g.input("source", source_axis, source.rows);
    if constexpr (requires { layer.graph(g, x, from, from); })
      g.output("y", layer.graph(g, x, from, from), time);
    else
      g.output("y", layer.graph(g, x, from), time);
  }
};

/// Windows that come as sequences of their own, of at most 8.
struct GivenWindows {
  using Scalar = float;
  struct Config {
    Index entities = 0;
  };
  Axis time;
  WindowPooling<float> layer;
  Axis input;
  Columns<> y;
  Index observation = 3;

  GivenWindows(Scope at, const Config&)
      : time(at.axis()), layer(at, 3, 8, 6, Windows::given), input(layer.windows), y(at.columns(6)) {}
  void forward(ParametersView<const float> p, Read<float> x, ActivationsView<float> a) const {
    layer.forward(p, x, a[y], a);
  }
  void graph(Graph& g) const { g.output("y", layer.graph(g, g.input("observation", input, observation)), time); }
};

class Writer {
 public:
  explicit Writer(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Networks are asked about batches of several lengths. types: the first row of the observation is a whole number below.
  template <class Net>
  void network(const std::string& name, const typename Net::Config& config, Index types = 0) {
    Agent<Net> agent(config, 1);
    Random random(Random::key(name));
    for (float& p : agent.p.flat) p += 0.1f * float(random.normal());  // also those that start at zero
    to_onnx(agent, directory_ / (name + ".onnx"));
    Json cases = Json::array();
    for (Sizes n : {Sizes{3, 7, 5}, Sizes{1, 1, 1}, Sizes{2, 23, 3}}) {
      if constexpr (requires { config.entities; })
        if (config.entities > 0) n.entities = config.entities;
      cases.push_back(answers(agent, random, n, types));
    }
    std::ofstream(directory_ / (name + ".json")) << cases;
    std::printf("%s\n", name.c_str());
  }
  template <class Layer>
  void layer(const std::string& name, typename Alone<Layer>::Config config, Index types = 0) {
    network<Alone<Layer>>(name, config, types);
  }

 private:
  struct Sizes {
    Index batch, steps, entities;
  };
  static Json tensor(const std::vector<Index>& dims, const float* numbers) {
    Index size = 1;
    for (const Index d : dims) size *= d;
    return {{"dims", dims}, {"numbers", std::vector<float>(numbers, numbers + size)}};
  }
  template <class Net>
  static Json answers(const Agent<Net>& agent, Random& random, Sizes n, Index types) {
    const Net& net = agent.net;
    const bool nested = !(net.input == net.time);
    Activations<float> a(agent.layout);
    a.begin(net.time, Sequences::uniform(n.batch, n.steps));
    if (nested) a.begin(net.input, Sequences::uniform(n.batch * n.steps, n.entities));
    Tokens<float> x(net.observation, n.batch * n.steps * (nested ? n.entities : 1));
    for (Index j = 0; j < x.cols(); ++j)
      for (Index i = 0; i < x.rows(); ++i)
        x(i, j) = i < (types > 0) ? float(random.below(types)) : float(random.normal());
    if constexpr (requires { net.source; }) {
      a.begin(net.source_axis, Sequences::uniform(n.batch, n.steps + n.entities));
      auto source = a[net.source];
      for (Index i = 0; i < source.size(); ++i) source.data()[i] = float(random.normal());
    }
    net.forward(agent.p, x, a);
    const auto dims = [&](Axis axis, Index rows) {
      return axis == net.time ? std::vector<Index>{n.batch, n.steps, rows}
                              : std::vector<Index>{n.batch, n.steps, n.entities, rows};
    };
    Json outputs;
    const auto add = [&](const char* name, auto columns) {
      if (!columns) return;
      const Tokens<float> numbers = a[columns];
      outputs[name] = tensor(dims(columns.axis, columns.rows), numbers.data());
    };
    if constexpr (requires { net.y; }) add("y", net.y);
    if constexpr (requires { net.q; })
      add("q", net.q);
    else if constexpr (requires { net.logits; })
      add("logits", net.logits);
    if constexpr (requires { net.mean; }) add("mean", net.mean), add("log_std", net.log_std);
    if constexpr (requires { net.value; }) add("value", net.value);
    Json inputs{{"observation", tensor(dims(net.input, x.rows()), x.data())}};
    if constexpr (requires { net.source; })
      inputs["source"] = tensor({n.batch, n.steps + n.entities, net.source.rows}, a[net.source].data());
    return {{"inputs", inputs}, {"outputs", outputs}};
  }
  std::filesystem::path directory_;
};

struct StateDependent {
  Index observation = 3, actions = 2, width = 8, heads = 2, layers = 1, inner = 0, window = 0;
  bool sinusoidal = true;
  Position position = {};
  double log_std = -1;
  bool state_dependent = true, squashed = true, value = false;
};

void policies(Writer& to) {
  to.network<MlpPolicy<float>>("mlp", {.observation = 4, .actions = 2, .value = true});
  to.network<AttentionPolicy<float>>("attention", {.observation = 4, .actions = 2, .value = true});
  to.network<AttentionPolicy<float>>("attention_wide", {.observation = 40, .actions = 3, .window = 1, .width = 8});
  to.network<TransformerPolicy<float>>("transformer", {.observation = 4, .actions = 2, .layers = 2, .value = true});
  int number = 0;
  for (const Position& position : {Position{}, rotary(), alibi(), relative()})
    to.network<TransformerPolicy<float>>(
        "transformer_window_" + std::to_string(number++),
        {.observation = 4, .actions = 2, .window = 5, .sinusoidal = false, .position = position});
  to.network<EntityPolicy<float>>("entity", {.observation = 5, .actions = 3, .types = 4, .value = true}, 4);
  to.network<EntityPolicy<float>>("entity_alone", {.observation = 5, .actions = 3, .layers = 0});
  to.network<PointerPolicy<float>>("pointer", {.observation = 5, .value = true});
  to.network<PointerPolicy<float>>("pointer_additive", {.observation = 5, .score = PointerScore::additive, .clip = 3});
  to.network<PatchPolicy<float>>("patch",
                                 {.actions = 3, .channels = 2, .image = {4, 6}, .patch = {2, 3}, .value = true});
  to.network<MlpMultiPolicy<float>>("multi", {.observation = 3, .choices = {2, 4}});
  to.network<AttentionQ<float>>("q", {.observation = 3, .actions = 4, .dueling = true});
  to.network<AttentionValue<float>>("value", {.observation = 3});
  to.network<MlpGaussianPolicy<float>>("gaussian", {.observation = 3, .actions = 2, .value = true});
  to.network<GaussianPolicyNetwork<TransformerBody<float>, StateDependent>>("gaussian_of_state", {});
  to.network<WithCritic<MlpPolicy<float>, TransformerValue<float>>>(
      "critic", {.actor = {.observation = 3, .actions = 2}, .critic = {.observation = 3}});
}

void attention(Writer& to) {
  using Attend = MultiHeadAttention<float>;
  const auto heads = [&](const char* name, AttentionConfig config) {
    config.dim = 8, config.heads = 4;
    to.layer<Attend>(std::string("heads_") + name, {8, 8, [=](Scope at) { return Attend(at, config); }});
  };
  heads("full", {});
  heads("causal", {.mask = Causal()});
  heads("window", {.mask = Window(3)});
  heads("strided", {.mask = Strided(4)});
  heads("ahead", {.mask = Mask{-1, 3}, .remembers = false});  // the last sees nothing
  heads("rotary", {.position = rotary()});
  heads("rotary_interleaved", {.mask = Causal(), .position = rotary(true, 100)});
  heads("alibi", {.mask = Causal(), .position = alibi()});
  heads("relative", {.mask = Window(4), .position = relative()});
  heads("shared", {.value_dim = 12, .key_heads = 2, .position = alibi(), .normalise = true});
  heads("tokens", {.key_heads = 1, .mask = Window(2), .position = rotary(), .memory_tokens = 3, .sink = true});
  heads("sink", {.sink = true, .bias = false});
  using Cross = CrossAttention<float>;
  const auto cross = [&](const char* name, AttentionConfig config) {
    config.dim = 8, config.heads = 2;
    to.network<Asking<Cross>>(std::string("cross_") + name,
                              {8, 8, 5, [=](Scope at, Axis source) { return Cross(at, source, config, 5, 5); }});
  };
  cross("causal", {.mask = Causal()});
  cross("last", {.mask = Causal(), .position = alibi(), .queries_last = true});
  cross("relative", {.position = relative(), .normalise = true, .memory_tokens = 2});
  cross("rotary", {.mask = Window(3), .position = rotary(), .queries_last = true});
  using Additive = AdditiveAttention<float>;
  to.network<Asking<Additive>>(
      "additive", {6, 4, 4, [](Scope at, Axis source) {
                     return Additive(at, source, {.query_dim = 6, .key_dim = 4, .width = 5, .mask = Window(3)});
                   }});
  using Sets = SetAttentionBlock<float>;
  to.network<Asking<Sets>>("set_block", {8, 8, 3, [](Scope at, Axis source) {
                                           return Sets(at, source, {.dim = 8, .heads = 2, .source_dim = 3});
                                         }});
  using Encoder = TransformerEncoder<float>;
  for (const bool first : {false, true})
    to.layer<Encoder>(
        first ? "encoder_pre" : "encoder_post",
        {8, 8, [=](Scope at) {
           return Encoder(at, {.layers = 2,
                               .block = {.dim = 8, .heads = 2, .norm_first = first, .activation = Nonlinearity::gelu},
                               .norm = first});
         }});
  to.layer<GatedBlock<float>>("gated", {8, 8, [](Scope at) {
                                          return GatedBlock<float>(
                                              at, {.dim = 8, .heads = 2, .mask = Causal(), .position = relative()});
                                        }});
  using Induced = InducedSetAttention<float>;
  to.layer<Induced>("induced", {8, 8, [](Scope at) { return Induced(at, {.dim = 8, .heads = 2, .points = 3}); }, true});
}

void others(Writer& to) {
  using enum Nonlinearity;
  for (const auto& [name, kind] : {std::pair("identity", identity), std::pair("tanh", tanh), std::pair("relu", relu),
                                   std::pair("gelu", gelu), std::pair("gelu_tanh", gelu_tanh), std::pair("silu", silu),
                                   std::pair("sigmoid", sigmoid), std::pair("softplus", softplus)})
    to.layer<Activation<float>>(name, {3, 3, [=](Scope) { return Activation<float>(kind); }});
  to.layer<Linear<float>>("linear", {3, 5, [](Scope at) { return Linear<float>(at, 3, 5); }});
  to.layer<Linear<float>>("linear_plain", {3, 5, [](Scope at) { return Linear<float>(at, 3, 5, false); }});
  to.layer<LayerNorm<float>>("layer_norm", {6, 6, [](Scope at) { return LayerNorm<float>(at, 6, 1e-3); }});
  to.layer<Embedding<float>>("embedding", {1, 4, [](Scope at) { return Embedding<float>(at, 9, 4); }}, 9);
  using Sinusoids = SinusoidalPositionalEncoding<float>;
  to.layer<Sinusoids>("sinusoidal", {7, 7, [](Scope at) { return Sinusoids(at); }});
  using Learned = LearnedPositionalEncoding<float>;
  to.layer<Learned>("learned", {4, 4, [](Scope at) { return Learned(at, 40, 4); }});
  to.layer<LearnedGridEncoding<float>>("learned_grid", {4, 4, [](Scope at) {
                                                          return LearnedGridEncoding<float>(at, Grid{8, 3}, 4);
                                                        }});
  to.layer<SinusoidalGridEncoding<float>>("sinusoidal_grid", {6, 6, [](Scope at) {
                                                                return SinusoidalGridEncoding<float>(at, Grid{8, 3}, 6);
                                                              }});
  for (const auto& [name, kind] :
       {std::pair("mean_pooling", PoolingKind::mean), std::pair("max_pooling", PoolingKind::max),
        std::pair("last_pooling", PoolingKind::last)})
    to.layer<Pooling<float>>(name, {4, 4, [=](Scope at) { return Pooling<float>(at, kind); }, true, true});
  using Patches = Convolution<float>;
  to.layer<Patches>(
      "convolution",
      {2, 3,
       [](Scope at) {
         return Patches(at, {.in = 2, .out = 3, .image = {5, 4}, .kernel = {3, 3}, .padding = {1}, .bias = false});
       },
       true, false, 20});
  to.network<GivenWindows>("given_windows", {});
  to.layer<AdditivePooling<float>>("additive_pooling",
                                   {4, 4, [](Scope at) { return AdditivePooling<float>(at, 4, 6); }, true, true});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: models DIRECTORY\n"), 2;
  Writer to(argv[1]);
  policies(to);
  attention(to);
  others(to);
}
