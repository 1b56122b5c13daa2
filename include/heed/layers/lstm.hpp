#pragma once
#include "heed/detail/recurrence.hpp"

namespace heed {

namespace detail {

template <class S>
struct LstmCell {
  static constexpr const char* name = "Lstm";
  static constexpr Index gates = 4, apart = 0, states = 2;

  /// Of i, f, g and o, in this order; of h and c.
  template <int Count, class M>
  static auto part(M& m, Index which) {
    const Index h = m.rows() / Count;
    return m.middleRows(which * h, h).array();
  }
  static void forward(Write<S> sums, Read<S> before, Write<S> after) {
    auto i = part<4>(sums, 0), f = part<4>(sums, 1), g = part<4>(sums, 2), o = part<4>(sums, 3);
    sigmoid_in_place(i);
    sigmoid_in_place(f);
    tangent_in_place(g);
    sigmoid_in_place(o);
    auto h = part<2>(after, 0), c = part<2>(after, 1);
    c = f * part<2>(before, 1) + i * g;
    elementwise(
        h, false, [](const R& oi, const R& ci) -> R { return oi * tangent<S>(ci); }, o, c);
  }
  // With T = tanh(c'):    do = dh' T o (1 - o)    dc' += dh' o (1 - T^2)    dc = dc' f
  //                       di = dc' g i (1 - i)    df = dc' c f (1 - f)      dg = dc' i (1 - g^2)
  static void backward(Read<S> gates_, Read<S> before, Write<S> dafter, Write<S> dsums, Write<S> dbefore) {
    const auto i = part<4>(gates_, 0), f = part<4>(gates_, 1), g = part<4>(gates_, 2), o = part<4>(gates_, 3);
    const auto c = part<2>(before, 1);
    auto di = part<4>(dsums, 0), df = part<4>(dsums, 1), dg = part<4>(dsums, 2), d_o = part<4>(dsums, 3);
    auto dh = part<2>(dafter, 0), dc = part<2>(dafter, 1);
    d_o = f * c + i * g;
    tangent_in_place(d_o);
    dc += dh * o * (1 - d_o.square());
    d_o *= dh * o * (1 - o);
    di = dc * g * i * (1 - i);
    df = dc * c * f * (1 - f);
    dg = dc * i * (1 - g.square());
    part<2>(dbefore, 0).setZero();
    part<2>(dbefore, 1) = dc * f;
  }

 private:
  using R = Register<S>;
};

}  // namespace detail

/// Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000), as torch.nn.LSTM.
///
///   i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)    f, o likewise    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
///   c' = f o c + i o g    h' = o o tanh(c')
///
///   x: in x n, along the axis of its scope    y: hidden x n, where bidirectional 2 hidden x n, forward above reverse
///   W_i* ("weight_ih_l0"), W_h* ("weight_hh_l0"), b_i* ("bias_ih_l0"), b_h* ("bias_hh_l0"): i, f, g, o of each one
///   below the other; "..._l1" of the next layer, "..._l0_reverse" of the other direction; uniform in
///   +-1 / sqrt(hidden)
///
/// y is h' of the last layer. Each sequence starts from h = c = 0, in reverse from its end.
template <class S>
using Lstm = detail::Recurrence<S, detail::LstmCell<S>>;

}  // namespace heed
