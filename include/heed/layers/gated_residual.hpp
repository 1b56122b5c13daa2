#pragma once
#include <cmath>

#include "heed/core/activations.hpp"
#include "heed/core/parameters.hpp"
#include "heed/core/scope.hpp"
#include "heed/detail/product.hpp"
#include "heed/layers/activation.hpp"

namespace heed {

/// A gate in place of a residual, of the kind of a GRU (Parisotto et al. 2019, sec. 3.2).
///
///   r = sigmoid(Wr y + Ur x)    z = sigmoid(Wz y + Uz x - bg)    h = tanh(Wg y + Ug (r o x))
///   out = (1 - z) o x + z o h
///
///   x, y, out: D x n, along the axis of its scope: the stream, what a branch adds to it, and the stream that goes on
///   [Wr; Wz; Wg] ("weight_ih"), [Ur; Uz; Ug] ("weight_hh"): 3 D x D, uniform in +-1 / sqrt(D)
///   bg ("gate_bias"): D, starts at 2, so that little more than x passes at first
template <class S, int D = Dynamic>
class GatedResidual {
 public:
  static constexpr int D3 = D == Dynamic ? Dynamic : 3 * D;  ///< rows of all gates together
  Weight<D3, D> weight_ih, weight_hh;
  Weight<D, 1> gate_bias;
  Columns<D3> gates;  ///< r, z, h
  Columns<D> reset;   ///< r o x
  Activation<S> sigmoid{Nonlinearity::sigmoid}, tanh{Nonlinearity::tanh};

  explicit GatedResidual(Scope at, Index dim = D, double initial_gate_bias = 2)
      : weight_ih(at.weight<D3, D>("weight_ih", {3 * dim, dim}, uniform(1 / std::sqrt(double(dim))))),
        weight_hh(at.weight<D3, D>("weight_hh", {3 * dim, dim}, uniform(1 / std::sqrt(double(dim))))),
        gate_bias(at.weight<D>("gate_bias", {dim}, constant(initial_gate_bias))),
        gates(at.columns<D3>(3 * dim)),
        reset(at.columns<D>(dim)) {}

  /// Its width.
  Index dim() const { return gate_bias.rows; }

  void forward(ParametersView<const S> p, Read<S, D> x, Read<S, D> y, Write<S, D> out, ActivationsView<S> a) const {
    check(x, y, "out", out, a);
    auto all = a[gates];
    auto r = part(all, 0), z = part(all, 1), h = part(all, 2), r_and_z = all.topRows(2 * dim());
    detail::multiply(all, p[weight_ih], y);
    detail::multiply(r_and_z, p[stream_weight()], x, true);
    z.colwise() -= p[gate_bias];
    sigmoid.forward(r_and_z, r_and_z);
    a[reset].array() = r.array() * x.array();
    detail::multiply(h, p[reset_weight()], a[reset], true);
    tanh.forward(h, h);
    out.array() = x.array() + z.array() * (h.array() - x.array());
  }

  // Of the sums below the three nonlinearities, with q = Ug' dh:
  //
  //   dh = dout o z o (1 - h^2)    dz = dout o (h - x) o z o (1 - z)    dr = q o x o r o (1 - r)
  //
  //   dW += [dr; dz; dh] y'    dUg += dh (r o x)'    [dUr; dUz] += [dr; dz] x'    dbg -= dz 1
  //   dy = W' [dr; dz; dh]     dx = dout o (1 - z) + q o r + [Ur; Uz]' [dr; dz]
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> y, Read<S, D> dout, ActivationsView<S> a,
                ParametersView<S> g, Gradient<S, D> dx, Gradient<S, D> dy) const {
    check(x, y, "dout", dout, a);
    detail::expect_gradient("GatedResidual", "dx", dx, dim(), x.cols());
    detail::expect_gradient("GatedResidual", "dy", dy, dim(), x.cols());
    const auto all = a[gates];
    const auto r = part(all, 0).array(), z = part(all, 1).array(), h = part(all, 2).array();
    auto d = a.d(gates);
    auto q = a.d(reset);
    auto dr = part(d, 0), dz = part(d, 1), dh = part(d, 2), dr_and_dz = d.topRows(2 * dim());
    dh.array() = dout.array() * z * (1 - h.square());
    dz.array() = dout.array() * (h - x.array()) * z * (1 - z);
    detail::multiply(q, p[reset_weight()].transpose(), dh);
    dr.array() = q.array() * x.array() * r * (1 - r);

    detail::multiply(g[weight_ih], d, y.transpose(), true);
    detail::multiply(g[reset_weight()], dh, a[reset].transpose(), true);
    detail::multiply(g[stream_weight()], dr_and_dz, x.transpose(), true);
    g[gate_bias] -= dz.rowwise().sum();
    if (dy.wanted()) detail::multiply(dy, p[weight_ih].transpose(), d, dy.adds());
    if (!dx.wanted()) return;
    dx.put(0, (dout.array() * (1 - z) + q.array() * r).matrix());
    detail::multiply(dx, p[stream_weight()].transpose(), dr_and_dz, true);
  }

  Node graph(Graph& g, const Node& x, const Node& y) const {
    const auto times = [&](const auto& w, const Node& of) { return g.matmul(of, g.transposed(g.weight(w), w.rows)); };
    const Node all = times(weight_ih, y), of_stream = times(stream_weight(), x);
    const auto sum = [&](Index which) {
      return g.add(g.part(all, which * dim(), dim()), g.part(of_stream, which * dim(), dim()));
    };
    const Node r = sigmoid.graph(g, sum(0)), z = sigmoid.graph(g, g.subtract(sum(1), g.weight(gate_bias)));
    const Node of_reset = times(reset_weight(), g.multiply(r, x));
    const Node h = tanh.graph(g, g.add(g.part(all, 2 * dim(), dim()), of_reset));
    return g.add(x, g.multiply(z, g.subtract(h, x)));
  }

 private:
  Weight<Dynamic, D> stream_weight() const { return weight_hh.middle_rows(0, 2 * dim()); }
  Weight<Dynamic, D> reset_weight() const { return weight_hh.middle_rows(2 * dim(), dim()); }
  template <class M>
  auto part(M& m, Index which) const {
    return m.middleRows(which * dim(), dim());
  }
  template <class Out>
  void check(const Read<S, D>& x, const Read<S, D>& y, const char* what, const Out& out, ActivationsView<S> a) const {
    detail::expect_shape("GatedResidual", "x", x, dim(), a.columns(gates.axis));
    detail::expect_shape("GatedResidual", "y", y, dim(), x.cols());
    detail::expect_shape("GatedResidual", what, out, dim(), x.cols());
  }
};

}  // namespace heed
