#include "heed/io/onnx.hpp"

#include <map>
#include <set>

#include "catch.hpp"
#include "heed/layers/gru.hpp"
#include "heed/layers/hard_attention.hpp"
#include "heed/layers/linear_attention.hpp"
#include "heed/layers/lstm.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/layers/segment_attention.hpp"
#include "heed/layers/selective_attention.hpp"
#include "heed/networks/attention_policy.hpp"
#include "heed/networks/gaussian_policy_network.hpp"
#include "heed/networks/mlp_policy.hpp"
#include "heed/networks/signal_policy.hpp"
#include "support/files.hpp"

using heed::Agent, heed::AttentionPolicy, heed::Graph, heed::Index, heed::Node, heed::Scope;
using support::Folder;

namespace {

/// The fields of a protobuf message: numbers, and texts that may be messages in turn.
struct Message {
  std::multimap<unsigned, std::uint64_t> numbers;
  std::multimap<unsigned, std::string> texts;

  explicit Message(std::string_view bytes) {
    const auto number = [&] {
      std::uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        REQUIRE(!bytes.empty());
        const auto byte = std::uint8_t(bytes.front());
        bytes.remove_prefix(1);
        value |= std::uint64_t(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    while (!bytes.empty()) {
      const std::uint64_t key = number();
      const unsigned field = unsigned(key >> 3), kind = unsigned(key & 7);
      if (kind == 0) {
        numbers.emplace(field, number());
      } else {
        REQUIRE((kind == 2 || kind == 5));
        const std::size_t size = kind == 5 ? 4 : std::size_t(number());
        REQUIRE(size <= bytes.size());
        texts.emplace(field, bytes.substr(0, size));
        bytes.remove_prefix(size);
      }
    }
  }
  std::uint64_t number(unsigned field) const { return numbers.find(field)->second; }
  std::string text(unsigned field) const { return texts.find(field)->second; }
  std::vector<std::string> all(unsigned field) const {
    std::vector<std::string> found;
    for (auto [i, end] = texts.equal_range(field); i != end; ++i) found.push_back(i->second);
    return found;
  }
  std::vector<std::uint64_t> all_numbers(unsigned field) const {
    std::vector<std::uint64_t> found;
    for (auto [i, end] = numbers.equal_range(field); i != end; ++i) found.push_back(i->second);
    return found;
  }
};

/// A port as "name: size size size".
std::string shown(const std::string& port) {
  const Message value(port);
  std::string text = value.text(1) + ":";
  const Message tensor(Message(value.text(2)).text(1));
  CHECK(tensor.number(1) == 1);  // float32
  for (const std::string& size : Message(tensor.text(2)).all(1)) {
    const Message dim(size);
    text += " " + (dim.texts.empty() ? std::to_string(dim.number(1)) : dim.text(2));
  }
  return text;
}

/// A layer of a user's own: y = x o w.
template <class S>
struct Scaled {
  using Scalar = S;
  struct Config {};
  heed::Axis time;
  heed::Weight<> w;
  Scaled(Scope at, const Config&)
      : time(at.axis()), w(at.weight<heed::Dynamic, heed::Dynamic>("w", {1, 3}, heed::constant(2))) {}
  void graph(Graph& g) const { g.output("y", g.multiply(g.input("x", time, 3), g.weight(w)), time); }
};

/// A network of one layer.
template <class Layer>
struct Alone {
  using Scalar = float;
  struct Config {};
  heed::Axis time;
  Layer layer;
  Alone(Scope at, const Config&) : time(at.axis()), layer(make(at)) {}
  static Layer make(Scope at) {
    typename Layer::Config c{};
    if constexpr (requires { c.hidden; }) c.in = 3, c.hidden = 2;
    if constexpr (requires { c.heads; }) c.dim = 4, c.heads = 2;
    if constexpr (requires { c.k; }) c.k = 1;
    return Layer(at, c);
  }
  void graph(Graph& g) const {
    const Node x = g.input("x", time, 3);
    if constexpr (requires { layer.graph(g, x); })
      g.output("y", layer.graph(g, x), time);
    else
      g.output("y", layer.graph(g, x, x, x), time);
  }
};

/// A network that says its outputs, or its inputs, wrongly.
struct Twice {
  using Scalar = float;
  struct Config {
    bool output;
  };
  heed::Axis time;
  bool output;
  Twice(Scope at, const Config& c) : time(at.axis()), output(c.output) {}
  void graph(Graph& g) const {
    const Node x = g.input("x", time, 3);
    g.output("y", x, time);
    if (output) g.output("y", x, time);
    g.input("x", time, 2);
  }
};

}  // namespace

TEST_CASE("onnx: a model with the weights as they are, each value defined before it is used") {
  const Folder folder;
  const Agent<AttentionPolicy<float>> agent({.observation = 4, .actions = 2, .width = 8, .value = true}, 3);
  heed::to_onnx(agent, folder / "policy.onnx");
  const Message model(support::read(folder / "policy.onnx"));
  CHECK(model.number(1) == 8);
  CHECK(model.text(2) == "heed");
  CHECK(Message(model.text(8)).number(2) == 17);

  const Message graph(model.text(7));
  REQUIRE(graph.all(11).size() == 1);
  CHECK(shown(graph.all(11)[0]) == "observation: batch time 4");
  REQUIRE(graph.all(12).size() == 2);
  CHECK(shown(graph.all(12)[0]) == "logits: batch time 2");
  CHECK(shown(graph.all(12)[1]) == "value: batch time 1");

  std::set<std::string> known{"observation"};
  std::size_t weights = 0;
  for (const std::string& text : graph.all(5)) {
    const Message constant(text);
    REQUIRE(known.insert(constant.text(8)).second);
    for (const heed::Entry& e : agent.layout.entries())
      if (e.name == constant.text(8) || e.name + ".weight" == constant.text(8)) {
        ++weights;
        CHECK(constant.number(2) == 1);
        CHECK(constant.all_numbers(1).size() == std::size_t(e.shape.rank()));
        const std::string_view bytes(reinterpret_cast<const char*>(agent.p.flat.data() + e.offset),
                                     4 * std::size_t(e.size()));
        CHECK(constant.text(9) == bytes);
      }
  }
  CHECK(weights == agent.layout.entries().size());
  for (const std::string& text : graph.all(1)) {
    const Message node(text);
    for (const std::string& input : node.all(1)) REQUIRE(known.count(input) == 1);
    REQUIRE(known.insert(node.text(2)).second);
  }
  CHECK(known.count("logits") + known.count("value") == 2);
}

TEST_CASE("onnx: a layer of one's own, and doubles as floats") {
  const Folder folder;
  const Agent<Scaled<double>> agent({});
  heed::to_onnx(agent, folder / "y.onnx");
  const Message graph(Message(support::read(folder / "y.onnx")).text(7));
  REQUIRE(graph.all(5).size() == 1);
  const Message constant(graph.all(5)[0]);
  CHECK(constant.text(8) == "w.weight");
  const float twos[] = {2, 2, 2};
  CHECK(constant.text(9) == std::string_view(reinterpret_cast<const char*>(twos), sizeof twos));
  REQUIRE(graph.all(1).size() == 2);
  CHECK(Message(graph.all(1)[0]).text(4) == "Mul");
  CHECK(Message(graph.all(1)[0]).all(1) == std::vector<std::string>{"x", "w.weight"});
}

TEST_CASE("onnx: errors, and nothing is written") {
  const Folder folder;
  const auto refused = [&]<class Net>(const Agent<Net>& agent, const std::string& says) {
    CHECK_THROWS_WITH(heed::to_onnx(agent, folder / "y.onnx"), ContainsSubstring(says));
  };
  refused(Agent<Alone<heed::Gru<float>>>({}), "Graph: Gru cannot be exported");
  refused(Agent<Alone<heed::Lstm<float>>>({}), "Graph: Lstm cannot be exported");
  refused(Agent<Alone<heed::MultiHeadAttention<float, heed::Dynamic, heed::HardAttention<float>>>>({}),
          "HardAttention");
  refused(Agent<Alone<heed::MultiHeadAttention<float, heed::Dynamic, heed::LinearAttention<float>>>>({}),
          "LinearAttention");
  refused(Agent<Alone<heed::MultiHeadAttention<float, heed::Dynamic, heed::SelectiveAttention<float>>>>({}),
          "SelectiveAttention");
  refused(Agent<Alone<heed::SegmentAttention<float>>>({}), "SegmentAttention");
  refused(Agent<heed::SignalPolicy<float>>({.observation = 9, .actions = 2, .samples = 7}, 1), "SignalBody");
  refused(Agent<Twice>({true}), "Graph: two outputs are named y");
  refused(Agent<Twice>({false}), "Graph: the input x is asked for with other sizes");
  Agent<heed::MlpPolicy<float>> agent({.observation = 2, .actions = 2}, 1);
  agent.p.flat[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(heed::to_onnx(agent, folder / "y.onnx"),
                    ContainsSubstring("y.onnx: layers.0.weight has a value that is not finite, number 1"));
  Agent<heed::MlpPolicy<double>> large({.observation = 2, .actions = 2}, 1);
  large.p.flat[0] = 1e300;
  CHECK_THROWS_WITH(heed::to_onnx(large, folder / "y.onnx"),
                    ContainsSubstring("layers.0.weight has a value that is not finite, number 0"));
  CHECK(folder.names().empty());
  CHECK_THROWS_WITH(Graph(agent.layout, {1, 2}), ContainsSubstring("Graph: 2 parameters, but the layout has 4482"));
}
