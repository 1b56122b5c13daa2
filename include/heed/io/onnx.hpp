#pragma once
#include "heed/core/agent.hpp"
#include "heed/core/graph.hpp"
#include "heed/io/detail/atomic_file.hpp"
#include "heed/io/detail/protobuf.hpp"
#include "heed/io/detail/unfit_number.hpp"

namespace heed {

namespace detail {

// The messages of onnx.proto, by the numbers of their fields.

inline ProtobufWriter onnx_attribute(const Graph::Attribute& a) {
  using enum Graph::Attribute::Kind;
  ProtobufWriter m;
  m.text(1, a.name);
  if (a.kind == number) m.fixed(2, a.number);
  if (a.kind == integer) m.varint(3, std::uint64_t(a.integers[0]));
  if (a.kind == integers)
    for (const std::int64_t i : a.integers) m.varint(8, std::uint64_t(i));
  return m.varint(20, std::uint64_t(a.kind));
}

inline ProtobufWriter onnx_operator(const Graph::Operator& o) {
  ProtobufWriter m;
  for (const std::string& input : o.inputs) m.text(1, input);
  m.text(2, o.output).text(3, o.output).text(4, o.type);
  for (const Graph::Attribute& a : o.attributes) m.text(5, onnx_attribute(a).str());
  return m;
}

inline ProtobufWriter onnx_constant(const Graph::Constant& c) {
  ProtobufWriter m;
  for (const std::int64_t size : c.dims) m.varint(1, std::uint64_t(size));
  return m.varint(2, std::uint64_t(c.type)).text(8, c.name).text(9, c.bytes);
}

/// A float32 tensor whose sizes are numbers or names.
inline ProtobufWriter onnx_port(const Graph::Port& port) {
  ProtobufWriter shape;
  for (const std::string& size : port.dims) {
    const bool known = size.find_first_not_of("0123456789") == std::string::npos;
    shape.text(1, known ? ProtobufWriter().varint(1, std::stoull(size)).str() : ProtobufWriter().text(2, size).str());
  }
  const ProtobufWriter tensor = ProtobufWriter().varint(1, std::uint64_t(Graph::Type::float32)).text(2, shape.str());
  return ProtobufWriter().text(1, port.name).text(2, ProtobufWriter().text(1, tensor.str()).str());
}

/// A model of version 8 of the format, with the operators of version 17.
inline std::string onnx_model(const Graph& g) {
  ProtobufWriter graph;
  for (const Graph::Operator& o : g.operators) graph.text(1, onnx_operator(o).str());
  graph.text(2, "heed");
  for (const Graph::Constant& c : g.constants) graph.text(5, onnx_constant(c).str());
  for (const Graph::Port& input : g.inputs) graph.text(11, onnx_port(input).str());
  for (const Graph::Port& output : g.outputs) graph.text(12, onnx_port(output).str());
  const ProtobufWriter operators = ProtobufWriter().text(1, "").varint(2, 17);
  return ProtobufWriter().varint(1, 8).text(2, "heed").text(7, graph.str()).text(8, operators.str()).str();
}

}  // namespace detail

/// Writes what an agent's network computes as an ONNX model (opset 17), its weights as float32, for ONNX Runtime and the
/// like:
///
///   observation: [batch, time, observation], or of entities [batch, time, entities, observation]
///   logits, value, mean, log_std or q, whatever the network has: [batch, time, numbers]
///
/// The model sees whole sequences, as `forward` does: of an episode so far the last row is the decision. A network that says
/// how far it looks back needs no more than the last past() + 1 rows. Observations are taken as the network takes them: what
/// normalises them before is not in the model, nor is the bounding of a squashed Gaussian's actions.
///
/// A part of the network that has no piece of graph is an error that names it, and so is a weight that is not finite. The
/// file appears complete or not at all.
template <Network Net>
void to_onnx(const Agent<Net>& agent, const std::filesystem::path& path) {
  static_assert(
      requires(Graph & g) { agent.net.graph(g); }, "the network must describe itself: void graph(Graph&) const");
  std::vector<float> p(std::size_t(agent.p.flat.size()));
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = float(agent.p.flat[Index(i)]);
  for (const Entry& e : agent.layout.entries())
    for (Index i = 0; i < e.size(); ++i)
      if (!detail::finite(p[std::size_t(e.offset + i)]))
        detail::fail_file(path, e.name + " has a value that is not finite, number " + std::to_string(i));
  Graph graph(agent.layout, std::move(p));
  agent.net.graph(graph);
  const std::string model = detail::onnx_model(graph);
  if (model.size() > std::size_t(std::numeric_limits<std::int32_t>::max()))
    detail::fail_file(path,
                      "a model of " + std::to_string(model.size()) + " bytes, but at most 2147483647 can be read");
  detail::AtomicFile file(path);
  file.write(model.data(), model.size());
  file.commit();
}

}  // namespace heed
