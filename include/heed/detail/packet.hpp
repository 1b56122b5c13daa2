#pragma once
// The one file that names what Eigen itself computes with: a vector register of the machine the program is built for (SSE,
// AVX, AVX-512, NEON, ... or a plain number where there is none).
#include <Eigen/Core>

namespace heed::detail {

template <class S>
struct Packet {
  using Type = typename Eigen::internal::packet_traits<S>::type;
  static constexpr Eigen::Index size = Eigen::internal::unpacket_traits<Type>::size;

  static Type load(const S* from) { return Eigen::internal::ploadu<Type>(from); }
  static void store(S* to, const Type& x) { Eigen::internal::pstoreu(to, x); }
  static Type broadcast(S x) { return Eigen::internal::pset1<Type>(x); }
  static Type multiply_add(const Type& a, const Type& b, const Type& c) { return Eigen::internal::pmadd(a, b, c); }
  static Type add(const Type& a, const Type& b) { return Eigen::internal::padd(a, b); }
  static S sum(const Type& x) { return Eigen::internal::predux(x); }
};

}  // namespace heed::detail
