#pragma once
#include "heed/core/activations.hpp"
#include "heed/detail/additive_scores.hpp"
#include "heed/detail/graph_attention.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Additive attention with a learned context vector in place of a query (Bahdanau et al. 2015; in this form Yang et al.
/// 2016, eq. 5-7): pools each sequence into one column.
///
///   u_i = tanh(W x_i + b)    a = softmax(v' u) over the sequence    y = sum_i a_i x_i
///
///   x: D x n, along the axis of its scope    y: D x sequences, a column for each, along the parent of that axis
///   W ("attention.weight"): A x D, b ("attention.bias"): A    v ("context_vector"): A, uniform in +-1 / sqrt(A)
///
/// An empty sequence answers zero.
template <class S, int D = Dynamic, int A = Dynamic>
class AdditivePooling {
 public:
  Linear<S, D, A> alignment;
  Weight<A, 1> context;
  Columns<A> u;
  Columns<1> weights;  ///< a[weights]: how much each token counts

  explicit AdditivePooling(Scope at, Index dim = D, Index width = A)
      : alignment(at / "attention", dim, width),
        context(at.weight<A>("context_vector", {width}, uniform(1 / std::sqrt(double(width))))),
        u(at.columns<A>(width)),
        weights(at.columns<1>()) {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    const SequencesView sequences = check(x, "y", y, a);
    alignment.forward(p, x, a[u]);
    detail::tangent_in_place(a[u]);
    weigh(p, a);
    y.setZero();
    for (Index s = 0; s < sequences.count(); ++s) {
      const Index first = sequences.first(s), n = sequences.length(s);
      detail::multiply(y.col(s), x.middleCols(first, n), a[weights].segment(first, n).transpose());
    }
  }

  // dw_i = x_i . dy    dx_i = w_i dy + W' d(W x_i)
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    const SequencesView sequences = check(x, "dy", dy, a);
    detail::expect_gradient("AdditivePooling", "dx", dx, x.rows(), x.cols());
    dx.start();
    for (Index s = 0; s < sequences.count(); ++s) {
      const Index first = sequences.first(s), n = sequences.length(s);
      detail::multiply(a.d(weights).segment(first, n), dy.col(s).transpose(), x.middleCols(first, n));
      if (dx.wanted()) detail::multiply(dx.middleCols(first, n), dy.col(s), a[weights].segment(first, n), true);
    }
    weigh_backward(p, a, g);
    Linear<S, D, A>(alignment.weight, {}).backward(p, x, a.d(u), g, dx.part(0, x.rows(), 0, x.cols()));
  }

  /// The weights of one sequence after a forward: tokens x 1.
  void weights_of(ActivationsView<S> a, Index sequence, Write<S> w) const {
    const SequencesView sequences = a.sequences(u.axis);
    if (sequence < 0 || sequence >= sequences.count())
      detail::fail("AdditivePooling: sequence %ld asked for, but there are %ld", long(sequence),
                   long(sequences.count()));
    detail::expect_shape("AdditivePooling", "weights", w, sequences.length(sequence), 1);
    w.col(0) = a[weights].segment(sequences.first(sequence), sequences.length(sequence)).transpose();
  }

  /// From a[u] to a[weights].
  void weigh(ParametersView<const S> p, ActivationsView<S> a) const {
    const SequencesView sequences = a.sequences(u.axis);
    const auto each = [&](auto f) {
      for (Index s = 0; s < sequences.count(); ++s)
        if (const Index n = sequences.length(s); n > 0) f(a[weights].segment(sequences.first(s), n).array());
    };
    detail::multiply(a[weights], p[context].transpose(), a[u]);
    each([](auto w) { w -= w.maxCoeff(); });
    detail::elementwise(
        a[weights], false, [](const R& w) { return detail::exponential<S>(w); }, a[weights]);
    each([](auto w) { w /= w.sum(); });
  }

  /// From a.d(weights), which is used up, to a.d(u): the gradient of what is under the tangent, whose sum is the bias's.
  //
  // de = w o (dw - w . dw)    du = v de' o (1 - u^2)
  void weigh_backward(ParametersView<const S> p, ActivationsView<S> a, ParametersView<S> g) const {
    const SequencesView sequences = a.sequences(u.axis);
    for (Index s = 0; s < sequences.count(); ++s) {
      const Index first = sequences.first(s), n = sequences.length(s);
      auto w = a[weights].segment(first, n), dw = a.d(weights).segment(first, n);
      dw.array() = w.array() * (dw.array() - w.dot(dw));
    }
    detail::additive_scores_backward(u.rows, sequences.columns(), p[context].data(), a.d(weights).data(),
                                     g[context].data(), g[alignment.bias].data(),
                                     detail::ColumnsAt<S>{a[u].data(), u.rows},
                                     [to = a.d(u).data(), rows = u.rows](Index i, Index j, Index count, const R& du) {
                                       detail::store(to + i + j * rows, du, count);
                                     });
  }

  /// Each sequence as a row; of the tokens that are seen alone, if that is said.
  Node graph(Graph& g, const Node& x, const Node* seen = nullptr) const {
    const Node score_of = g.reshape(g.weight(context), {context.rows, 1});
    const Node scores = g.squeeze(g.matmul(g.op("Tanh", {alignment.graph(g, x)}, alignment.out()), score_of), -1);
    const Node shares = seen ? detail::GraphSight(*seen).softmax(g, scores) : g.softmax(scores);
    return g.squeeze(g.matmul(g.unsqueeze(shares, {-2}), x), -2);
  }

 private:
  using R = detail::Register<S>;
  template <class Y>
  SequencesView check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    const SequencesView sequences = a.sequences(u.axis);
    detail::expect_shape("AdditivePooling", "x", x, alignment.in(), sequences.columns());
    detail::expect_shape("AdditivePooling", what, y, alignment.in(), sequences.count());
    return sequences;
  }
};

}  // namespace heed
