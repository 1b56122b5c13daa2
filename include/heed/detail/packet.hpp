#pragma once
// The one file that names what Eigen itself computes with: a vector register of the machine the program is built for (SSE,
// AVX, AVX-512, NEON, ... or a plain number where there is none), and the narrower ones that it has beside.
#include <Eigen/Core>
#include <algorithm>
#include <utility>

namespace heed::detail {

/// f(0), f(1), ... f(count - 1), each with its number as a constant: what they index stays in registers
/// where a loop would keep it in memory unless it is optimised hard.
template <int count, class F>
EIGEN_ALWAYS_INLINE void unrolled(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) { (f(std::integral_constant<int, i>()), ...); }
  (std::make_integer_sequence<int, count>());
}

template <class S, int Size = Eigen::internal::packet_traits<S>::size>
struct Packet {
  using Type = typename Eigen::internal::find_best_packet<S, Size>::type;
  static constexpr Eigen::Index size = Eigen::internal::unpacket_traits<Type>::size;
  static constexpr Eigen::Index half =
      Eigen::internal::unpacket_traits<typename Eigen::internal::unpacket_traits<Type>::half>::
          size;  // of the next narrower one; size where there is none
  /// Numbers in 128 bits, within which processors move them fastest.
  static constexpr int lane = std::min(int(size), int(16 / sizeof(S)));
  static constexpr int registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS;

  static Type load(const S* from) { return Eigen::internal::ploadu<Type>(from); }
  static void store(S* to, const Type& x) { Eigen::internal::pstoreu(to, x); }
  /// The first few numbers, zeros behind them; what lies behind them in memory is not touched.
  static Type load_first(const S* from, Eigen::Index count) {
    if constexpr (masked) {
      return Eigen::internal::ploadu<Type>(from, mask(count));
    } else {
      S numbers[size] = {};
      std::copy_n(from, count, numbers);
      return load(numbers);
    }
  }
  static void store_first(S* to, const Type& x, Eigen::Index count) {
    if constexpr (masked) {
      Eigen::internal::pstoreu(to, x, mask(count));
    } else {
      S numbers[size];
      store(numbers, x);
      std::copy_n(numbers, count, to);
    }
  }
  static Type gather(const S* from, Eigen::Index stride) { return Eigen::internal::pgather<S, Type>(from, stride); }
  static Type broadcast(S x) { return Eigen::internal::pset1<Type>(x); }
  static Type load_one(const S* from) { return Eigen::internal::pload1<Type>(from); }
  static Type multiply_add(const Type& a, const Type& b, const Type& c) { return Eigen::internal::pmadd(a, b, c); }
  static Type add(const Type& a, const Type& b) { return Eigen::internal::padd(a, b); }
  static Type subtract(const Type& a, const Type& b) { return Eigen::internal::psub(a, b); }
  static Type divide(const Type& a, const Type& b) { return Eigen::internal::pdiv(a, b); }
  static Type max(const Type& a, const Type& b) { return Eigen::internal::pmax(a, b); }
  static Type min(const Type& a, const Type& b) { return Eigen::internal::pmin(a, b); }
  static Type abs(const Type& x) { return Eigen::internal::pabs(x); }
  static Type negate(const Type& x) { return Eigen::internal::pnegate(x); }
  static Type sqrt(const Type& x) { return Eigen::internal::psqrt(x); }
  static Type log(const Type& x) { return Eigen::internal::plog(x); }
  static Type multiply(const Type& a, const Type& b) { return Eigen::internal::pmul(a, b); }
  /// x where low <= at < high, elsewhere other.
  static Type within(const Type& at, const Type& low, const Type& high, const Type& x, const Type& other) {
    using namespace Eigen::internal;
    return pselect(pand(pcmp_le(low, at), pcmp_lt(at, high)), x, other);
  }
  /// a where x > 0, elsewhere b.
  static Type where_positive(const Type& x, const Type& a, const Type& b) {
    using namespace Eigen::internal;
    return pselect(pcmp_lt(pzero(x), x), a, b);
  }
  static S highest(const Type& x) { return Eigen::internal::predux_max(x); }
  static S sum(const Type& x) { return Eigen::internal::predux(x); }
  /// The sum of each of so many registers, side by side: of as many as one holds numbers, or of half as many.
  template <int rows>
  EIGEN_ALWAYS_INLINE static auto sums(const Type* of) {
    if constexpr (rows < size) {
      typename Packet<S, int(half)>::Type halves[rows];
      unrolled<rows>([&](auto j) { halves[j] = Eigen::internal::predux_half_dowto4(of[j]); });
      return Packet<S, int(half)>::template sums<rows>(halves);
    } else if constexpr (lane < half) {
      Type both[half];
      unrolled<int(half)>([&](auto j) {
        both[j] = add(halves_beside<0>(of[j], of[j + half]), halves_beside<int(half)>(of[j], of[j + half]));
      });
      return sums_of_parts<int(half)>(both);
    } else {
      return sums_of_parts<rows>(of);
    }
  }
  /// The sum of each lane of each of them: first those of the first.
  static Type sums_of_lanes(const Type (&of)[lane]) {
    constexpr int lanes = int(size) / lane;
    const Type mixed = sums_of_parts<lane>(of);
    return [&]<int... i>(std::integer_sequence<int, i...>)->Type {
      return __builtin_shufflevector(mixed, mixed, (i % lanes * lane + i / lanes)...);
    }
    (std::make_integer_sequence<int, int(size)>());
  }
  /// As many rows of a lane's numbers, one behind the other, as a register holds numbers: column by column.
  EIGEN_ALWAYS_INLINE static void load_turned(const S* from, Type (&columns)[lane]) {
    Type rows[lane];
    unrolled<lane>([&](auto r) { rows[r] = load(from + r * size); });
    sort_by_place<lane>(rows, columns);
  }
  // A register as groups of so many numbers side by side, not narrower than a lane.
  /// The sums of each group of as many registers as a group has numbers: those of the first group, then of the next.
  template <int group>
  static Type sums_of_groups(const Type (&of)[group]) {
    return sums_of_parts<group>(of);
  }
  /// In each number of a group the sum of the group, or its highest number.
  template <int group>
  static Type sum_of_groups(const Type& x) {
    return over_groups<group>(x, [](const Type& a, const Type& b) { return add(a, b); });
  }
  template <int group>
  static Type highest_of_groups(const Type& x) {
    return over_groups<group>(x, [](const Type& a, const Type& b) { return max(a, b); });
  }
  /// In each number of a group its i-th.
  template <int group, int i>
  static Type spread_in_groups(const Type& x) {
    return [&]<int... j>(std::integer_sequence<int, j...>)->Type {
      return __builtin_shufflevector(x, x, (j / group * group + i)...);
    }
    (std::make_integer_sequence<int, int(size)>());
  }
  /// The first few numbers of each group, those of `other` behind them.
  template <int group>
  static Type first_of_groups(Eigen::Index count, const Type& x, const Type& other) {
    S numbers[size];
    for (int i = 0; i < size; ++i) numbers[i] = S(i % group);
    return within(load(numbers), broadcast(S(0)), broadcast(S(count)), x, other);
  }
  /// The same numbers in each lane.
  static Type load_lanes(const S* from) {
    if constexpr (size == lane) {
      return load(from);
    } else {
      const auto lanes = Packet<S, int(half)>::load_lanes(from);
      return joined(lanes, lanes);
    }
  }
  /// Two of half this size side by side.
  template <class Half>
  static Type joined(const Half& a, const Half& b) {
    return [&]<int... i>(std::integer_sequence<int, i...>)->Type { return __builtin_shufflevector(a, b, i...); }
    (std::make_integer_sequence<int, int(size)>());
  }
  /// to(i, j) = from(j, i) for a square of this size, or what is there and that.
  EIGEN_ALWAYS_INLINE static void transpose(const S* from, Eigen::Index from_stride, S* to, Eigen::Index to_stride,
                                            bool add_to = false) {
    Eigen::internal::PacketBlock<Type, int(size)> square;
    unrolled<int(size)>([&](auto j) { square.packet[j] = load(from + j * from_stride); });
    if constexpr (size > 1) Eigen::internal::ptranspose(square);
    const auto put = [&](auto value) { unrolled<int(size)>([&](auto j) { store(to + j * to_stride, value(j)); }); };
    if (add_to)
      put([&](auto j) { return add(load(to + j * to_stride), square.packet[j]); });
    else
      put([&](auto j) { return square.packet[j]; });
  }

 private:
  template <int group, int step = group / 2, class F>
  static Type over_groups(const Type& x, F f) {
    const Type both = [&]<int... j>(std::integer_sequence<int, j...>)->Type {
      return f(x, __builtin_shufflevector(x, x, (j ^ step)...));
    }
    (std::make_integer_sequence<int, int(size)>());
    if constexpr (step > 1)
      return over_groups<group, step / 2>(both, f);
    else
      return both;
  }

  using Traits = Eigen::internal::unpacket_traits<Type>;
  static constexpr bool masked = Traits::masked_load_available && Traits::masked_store_available;
  static auto mask(Eigen::Index count) { return typename Traits::mask_t((1u << count) - 1); }

  /// A half of a and, beside it, that of b, from the first-th number on.
  template <int first>
  static Type halves_beside(const Type& a, const Type& b) {
    return [&]<int... i>(std::integer_sequence<int, i...>)->Type {
      return __builtin_shufflevector(a, b, (first + i % half + (i < half ? 0 : size))...);
    }
    (std::make_integer_sequence<int, int(size)>());
  }
  /// Every second unit of a and, beside them, of b, within each group of so many numbers, the first or those after.
  template <int group, int unit, int first>
  static Type every_second(const Type& a, const Type& b) {
    constexpr int half_group = group / 2;
    constexpr auto from = [](int i) {
      const int at = i % half_group, source = i % group < half_group ? 0 : int(size);
      return source + i / group * group + (2 * (at / unit) + first) * unit + at % unit;
    };
    const auto shuffled = [&]<int... i>(std::integer_sequence<int, i...>)->Type {
      return __builtin_shufflevector(a, b, from(i)...);
    };
    return shuffled(std::make_integer_sequence<int, int(size)>());
  }
  /// Of so many registers: their numbers whose places leave the same rest by `count`, register by register.
  template <int count, int step = 1>
  EIGEN_ALWAYS_INLINE static void sort_by_place(const Type* x, Type* to) {
    if constexpr (count == 1) {
      *to = *x;
    } else {
      Type even[count / 2], odd[count / 2];
      unrolled<count / 2>([&](auto i) {
        even[i] = every_second<int(size), 1, 0>(x[2 * i], x[2 * i + 1]);
        odd[i] = every_second<int(size), 1, 1>(x[2 * i], x[2 * i + 1]);
      });
      sort_by_place<count / 2, 2 * step>(even, to);
      sort_by_place<count / 2, 2 * step>(odd, to + step);
    }
  }
  /// Two by two: neighbours are added as they are laid side by side, fewer moves than a transposition takes. Of more
  /// registers than a lane holds numbers the halves of each group of as many numbers are added at last.
  template <int count>
  EIGEN_ALWAYS_INLINE static Type sums_of_parts(const Type* x) {
    if constexpr (count == 1) {
      return x[0];
    } else {
      constexpr int group = count > lane ? count : lane, unit = count > lane ? count / 2 : 1;
      const Type a = sums_of_parts<count / 2>(x), b = sums_of_parts<count / 2>(x + count / 2);
      return add(every_second<group, unit, 0>(a, b), every_second<group, unit, 1>(a, b));
    }
  }
};

}  // namespace heed::detail
