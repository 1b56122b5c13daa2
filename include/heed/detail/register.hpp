#pragma once
#include "heed/detail/packet.hpp"

namespace heed::detail {

/// As many numbers as a vector register holds, to be reckoned with like one. A number stands for a register full of it.
template <class S>
class Register {
  using P = Packet<S>;

 public:
  using Scalar = S;
  typename P::Type packet;

  Register() = default;  // unknown numbers
  Register(const typename P::Type& numbers) requires(P::size > 1) : packet(numbers) {}
  Register(S number) : packet(P::broadcast(number)) {}

  friend Register operator+(const Register& a, const Register& b) { return P::add(a.packet, b.packet); }
  friend Register operator-(const Register& a, const Register& b) { return P::subtract(a.packet, b.packet); }
  friend Register operator*(const Register& a, const Register& b) { return P::multiply(a.packet, b.packet); }
  friend Register operator/(const Register& a, const Register& b) { return P::divide(a.packet, b.packet); }
  friend Register operator-(const Register& a) { return P::negate(a.packet); }
  Register& operator+=(const Register& x) { return *this = *this + x; }

  friend Register max(const Register& a, const Register& b) { return P::max(a.packet, b.packet); }
  friend Register min(const Register& a, const Register& b) { return P::min(a.packet, b.packet); }
  friend Register abs(const Register& x) { return P::abs(x.packet); }
  friend Register sqrt(const Register& x) { return P::sqrt(x.packet); }
  /// The natural logarithm within 1.5 epsilons (2^-23 for float, 2^-52 for double), of 0 and of what is normal.
  friend Register log(const Register& x) { return P::log(x.packet); }
  /// a b + c
  friend Register multiply_add(const Register& a, const Register& b, const Register& c) {
    return P::multiply_add(a.packet, b.packet, c.packet);
  }
  /// a where x > 0, elsewhere b
  friend Register where_positive(const Register& x, const Register& a, const Register& b) {
    return P::where_positive(x.packet, a.packet, b.packet);
  }
  S sum() const { return P::sum(packet); }
};

template <class S>
Register<S> load(const S* from) {
  return Packet<S>::load(from);
}
template <class S>
void store(S* to, const Register<S>& x) {
  Packet<S>::store(to, x.packet);
}

}  // namespace heed::detail
