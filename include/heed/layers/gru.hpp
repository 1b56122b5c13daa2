#pragma once
#include "heed/detail/recurrence.hpp"

namespace heed {

namespace detail {

template <class S>
struct GruCell {
  static constexpr const char* name = "Gru";
  static constexpr Index gates = 3, apart = 1, states = 1;

  /// Of r, z, W_hn h + b_hn and n, in this order.
  template <class M>
  static auto part(M& m, Index gate) {
    const Index h = m.rows() / (gates + apart);
    return m.middleRows(gate * h, h).array();
  }
  static void forward(Write<S> sums, Read<S> h, Write<S> after) {
    auto r = part(sums, 0), z = part(sums, 1), of_h = part(sums, 2), n = part(sums, 3);
    sigmoid_in_place(r);
    sigmoid_in_place(z);
    n += r * of_h;
    tangent_in_place(n);
    after.array() = (1 - z) * n + z * h.array();
  }
  // dn = dh' (1 - z) (1 - n^2)    d(W_hn h + b_hn) = dn r    dr = dn (W_hn h + b_hn) r (1 - r)
  // dz = dh' (h - n) z (1 - z)    dh = dh' z
  static void backward(Read<S> gates_, Read<S> h, Write<S> dafter, Write<S> dsums, Write<S> dh) {
    const auto r = part(gates_, 0), z = part(gates_, 1), of_h = part(gates_, 2), n = part(gates_, 3);
    auto dr = part(dsums, 0), dz = part(dsums, 1), dof_h = part(dsums, 2), dn = part(dsums, 3);
    const auto d = dafter.array();
    dn = d * (1 - z) * (1 - n.square());
    dof_h = dn * r;
    dr = dof_h * of_h * (1 - r);
    dz = d * (h.array() - n) * z * (1 - z);
    dh.array() = d * z;
  }
};

}  // namespace detail

/// Gated recurrent units (Cho et al. 2014), as torch.nn.GRU.
///
///   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
///   n = tanh(W_in x + b_in + r o (W_hn h + b_hn))    h' = (1 - z) o n + z o h
///
///   x: in x n, along the axis of its scope    y: hidden x n, where bidirectional 2 hidden x n, forward above reverse
///   W_i* ("weight_ih_l0"), W_h* ("weight_hh_l0"), b_i* ("bias_ih_l0"), b_h* ("bias_hh_l0"): r, z, n of each one below
///   the other; "..._l1" of the next layer, "..._l0_reverse" of the other direction; uniform in +-1 / sqrt(hidden)
///
/// y is h' of the last layer. Each sequence starts from h = 0, in reverse from its end.
template <class S>
using Gru = detail::Recurrence<S, detail::GruCell<S>>;

}  // namespace heed
