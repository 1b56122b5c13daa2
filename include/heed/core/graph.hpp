#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "heed/core/layout.hpp"

namespace heed {

/// A value in a graph: a tensor whose last dimension is features and whose one before is tokens, as [batch, time, rows] or,
/// of entities seen at each step, [batch, time, entities, rows].
struct Node {
  std::string name;  ///< unique in the graph
  Index rows = 0;    ///< features
  int rank = 0;      ///< dimensions
};

/// What a network computes, in the operators of ONNX (opset 17), with weights as float32. Each layer describes itself as a
/// piece of it, by a third function beside forward and backward:
///
///   Node graph(Graph& g, const Node& x) const {              // y = W x + b, each token a row
///     return g.add(g.matmul(x, g.transposed(g.weight(weight))), g.weight(bias));
///   }
///
/// and a network from its inputs to its outputs:
///
///   void graph(Graph& g) const { g.output("logits", head.graph(g, g.input("observation", time, 4)), time); }
///
/// It is of whole sequences, of equal length within a batch, in evaluation mode. See to_onnx.
class Graph {
 public:
  /// The numbers are those of TensorProto.DataType.
  enum class Type { float32 = 1, int64 = 7, boolean = 9, float64 = 11 };

  /// A setting of an operator.
  struct Attribute {
    /// Numbers are those of AttributeProto.AttributeType.
    enum class Kind { number = 1, integer = 2, integers = 7 };
    std::string name;                      ///< as ONNX calls it
    Kind kind;                             ///< which of these it has
    float number = 0;                      ///< its value, if it is a number
    std::vector<std::int64_t> integers{};  ///< its values, if it is one or more whole numbers

    /// A number.
    Attribute(const char* name_, float value) : name(name_), kind(Kind::number), number(value) {}
    /// A whole number.
    Attribute(const char* name_, std::int64_t value) : name(name_), kind(Kind::integer), integers{value} {}
    /// Whole numbers.
    Attribute(const char* name_, std::vector<std::int64_t> values)
        : name(name_), kind(Kind::integers), integers(std::move(values)) {}
  };
  /// An operator and what it is applied to.
  struct Operator {
    std::string type, output;           ///< its name in ONNX, and that of what it computes
    std::vector<std::string> inputs;    ///< names of what it is applied to
    std::vector<Attribute> attributes;  ///< its settings
  };
  /// A weight or a constant.
  struct Constant {
    std::string name;                ///< unique in the graph
    Type type;                       ///< of its numbers
    std::vector<std::int64_t> dims;  ///< its shape
    std::string bytes;               ///< little-endian
  };
  /// Sizes that are not known are named.
  struct Port {
    std::string name;               ///< unique in the graph
    std::vector<std::string> dims;  ///< its shape
  };
  std::vector<Operator> operators;    ///< in the order of computing
  std::vector<Constant> constants;    ///< weights, and other constants
  std::vector<Port> inputs, outputs;  ///< of the whole graph

  /// p: the flat parameters of the layout.
  Graph(const Layout& layout, std::vector<float> p) : layout_(layout), p_(std::move(p)) {
    if (Index(p_.size()) != layout.parameters())
      detail::fail("Graph: %ld parameters, but the layout has %ld", long(p_.size()), long(layout.parameters()));
  }

  /// An input with a column for each token of an axis; the same where it was asked for before.
  Node input(const std::string& name, Axis axis, Index rows) {
    Port port{name, sizes(axis, rows)};
    const Node node{name, rows, int(port.dims.size())};
    const auto same = std::find_if(inputs.begin(), inputs.end(), [&](const Port& other) { return other.name == name; });
    if (same == inputs.end())
      inputs.push_back(std::move(port));
    else if (same->dims != port.dims)
      detail::fail("Graph: the input %s is asked for with other sizes", name.c_str());
    return node;
  }
  /// `along`: the axis that x has a column for each token of.
  void output(const std::string& name, const Node& x, Axis along) {
    if (std::any_of(outputs.begin(), outputs.end(), [&](const Port& other) { return other.name == name; }))
      detail::fail("Graph: two outputs are named %s", name.c_str());
    outputs.push_back({name, sizes(along, x.rows)});
    operators.push_back({"Identity", name, {x.name}, {}});
  }

  /// A weight, by its own name: rows x cols, or rows.
  template <int R, int C>
  Node weight(const Weight<R, C>& w) {
    const std::string name = name_of(w.offset, w.rows * w.cols);
    const Node node{name, C == 1 ? w.rows : w.cols, C == 1 ? 1 : 2};
    const auto same = [&](const Constant& c) { return c.name == name; };
    if (std::any_of(constants.begin(), constants.end(), same)) return node;
    const auto first = p_.begin() + w.offset;
    add_constant(name, std::vector<float>(first, first + w.rows * w.cols),
                 C == 1 ? std::vector<std::int64_t>{w.rows} : std::vector<std::int64_t>{w.rows, w.cols});
    return node;
  }
  /// float, double, std::int64_t; without dims a vector, with none in them a single number.
  template <class T>
  Node constant(const std::vector<T>& values, std::vector<std::int64_t> dims) {
    const Node node{"constant_" + std::to_string(constants.size()), dims.empty() ? 1 : Index(dims.back()),
                    int(dims.size())};
    add_constant(node.name, values, std::move(dims));
    return node;
  }
  /// A vector.
  template <class T>
  Node constant(const std::vector<T>& values) {
    return constant(values, {std::int64_t(values.size())});
  }
  /// A single number.
  Node number(double value) { return constant(std::vector<float>{float(value)}, {}); }

  /// An operator of ONNX with one output, of so many features and, if not said, as many dimensions as its largest input.
  Node op(const char* type, const std::vector<Node>& from, Index rows, std::vector<Attribute> attributes = {},
          int rank = -1) {
    Operator o{type, type + ("_" + std::to_string(operators.size())), {}, std::move(attributes)};
    int most = 0;
    for (const Node& node : from) {
      o.inputs.push_back(node.name);
      most = std::max(most, node.rank);
    }
    operators.push_back(std::move(o));
    return {operators.back().output, rows, rank < 0 ? most : rank};
  }

  // Operators that many need. Of two tensors the smaller is taken for each of the larger's leading dimensions.
  /// a + b, number by number.
  Node add(const Node& a, const Node& b) { return op("Add", {a, b}, std::max(a.rows, b.rows)); }
  /// a - b, number by number.
  Node subtract(const Node& a, const Node& b) { return op("Sub", {a, b}, std::max(a.rows, b.rows)); }
  /// a b, number by number.
  Node multiply(const Node& a, const Node& b) { return op("Mul", {a, b}, std::max(a.rows, b.rows)); }
  /// Times a number.
  Node multiply(const Node& a, double b) { return multiply(a, number(b)); }
  /// a / b, number by number.
  Node divide(const Node& a, const Node& b) { return op("Div", {a, b}, std::max(a.rows, b.rows)); }
  /// The product of matrices.
  Node matmul(const Node& a, const Node& b) { return op("MatMul", {a, b}, b.rows); }
  /// Over features.
  Node softmax(const Node& x) { return op("Softmax", {x}, x.rows, {{"axis", std::int64_t(-1)}}); }
  /// Of another type.
  Node cast(const Node& x, Type to) { return op("Cast", {x}, x.rows, {{"to", std::int64_t(to)}}); }
  /// One behind the other along a dimension.
  Node concat(const std::vector<Node>& all, std::int64_t dimension, Index rows) {
    return op("Concat", all, rows, {{"axis", dimension}});
  }
  /// Of the indices along one dimension, from 0.
  Node gather(const Node& x, const Node& indices, std::int64_t dimension, Index rows, int rank) {
    return op("Gather", {x, indices}, rows, {{"axis", dimension}}, rank);
  }
  /// In dims 0 stands for the size that x has there.
  Node reshape(const Node& x, const std::vector<std::int64_t>& dims) {
    return op("Reshape", {x, constant(dims)}, Index(dims.back()), {}, int(dims.size()));
  }
  /// Dimensions in another order.
  Node permuted(const Node& x, const std::vector<std::int64_t>& order, Index rows) {
    return op("Transpose", {x}, rows, {{"perm", order}});
  }
  /// The last two dimensions change places; tokens must be of a known number for `rows` to be right.
  Node transposed(const Node& x, Index rows = 0) {
    std::vector<std::int64_t> order;
    for (int i = 0; i < x.rank; ++i) order.push_back(i);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    return permuted(x, order, rows);
  }
  /// With a dimension of size 1 there; negative ones count from the end of what comes out.
  Node unsqueeze(const Node& x, std::vector<std::int64_t> dimensions) {
    const int rank = x.rank + int(dimensions.size());
    return op("Unsqueeze", {x, constant(dimensions)}, x.rows, {}, rank);
  }
  /// Without a dimension of size 1.
  Node squeeze(const Node& x, std::int64_t dimension) {
    return op("Squeeze", {x, constant(std::vector<std::int64_t>{dimension})}, x.rows, {}, x.rank - 1);
  }
  /// Some of the features.
  Node part(const Node& x, Index first, Index count) {
    const auto at = [&](Index i) { return constant(std::vector<std::int64_t>{i}); };
    return op("Slice", {x, at(first), at(first + count), at(-1)}, count);
  }
  /// How many tokens: a single whole number.
  Node length(const Node& x) {
    return squeeze(op("Shape", {x}, 1, {{"start", std::int64_t(-2)}, {"end", std::int64_t(-1)}}, 1), 0);
  }

  /// An error that names what has no piece of graph.
  [[noreturn]] Node unsupported(const char* what) const {
    detail::fail("Graph: %s cannot be exported: it has no description in ONNX's operators", what);
  }

 private:
  std::vector<std::string> sizes(Axis axis, Index rows) const {
    std::vector<std::string> all{std::to_string(rows)};
    for (; layout_[axis].parent.id >= 0; axis = layout_[axis].parent) all.push_back("entities");
    all.push_back(axis.id == 0 ? "time" : "tokens_" + std::to_string(axis.id));
    all.push_back("batch");
    std::reverse(all.begin(), all.end());
    return all;
  }
  template <class T>
  void add_constant(const std::string& name, const std::vector<T>& values, std::vector<std::int64_t> dims) {
    constexpr Type type = std::is_same_v<T, float>    ? Type::float32
                          : std::is_same_v<T, double> ? Type::float64
                                                      : Type::int64;
    static_assert(type != Type::int64 || std::is_same_v<T, std::int64_t>);
    std::string bytes(values.size() * sizeof(T), '\0');
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    constants.push_back({name, type, std::move(dims), std::move(bytes)});
  }
  /// That of its entry in the layout or, of some of its rows, with the numbers that they are. One without a dot might be an
  /// output's name.
  std::string name_of(Index offset, Index size) const {
    for (const Entry& e : layout_.entries()) {
      const Index first = offset - e.offset;
      if (first < 0 || first + size > e.size()) continue;
      std::string name = e.name;
      const auto taken = [&](const Entry& other) { return &other != &e && other.name == name; };
      while (name.find('.') == std::string::npos ||
             std::any_of(layout_.entries().begin(), layout_.entries().end(), taken))
        name += ".weight";
      return size == e.size() ? name : name + "[" + std::to_string(first) + ":" + std::to_string(first + size) + "]";
    }
    detail::fail("Graph: no weight of the layout is at %ld", long(offset));
  }

  const Layout& layout_;
  std::vector<float> p_;
};

}  // namespace heed
