#pragma once
#include <array>
#include <cstdint>
#include <limits>

#include "heed/core/tokens.hpp"
#include "heed/detail/register.hpp"

namespace heed::detail {

// Functions of each number alone, a register at a time, the last few numbers of an array included: what comes of a number
// does not depend on its place. Errors are given in epsilons (2^-23 for float, 2^-52 for double) of the result; NaN stays
// NaN. Coefficients stand with those of low powers first: those of polynomials by mpmath.chebyfit(function, interval, count), those
// of quotients P / Q by least squares of the error of P - f Q, weighed anew until the largest errors are alike.

/// sum x^count + ... + c_1 x + c_0, `sum` standing for all higher powers.
template <class S, std::size_t N, std::size_t count = N>
EIGEN_ALWAYS_INLINE Register<S> horner(Register<S> sum, const Register<S>& x, const std::array<double, N>& c) {
  const auto add = [&]<std::size_t... i>(std::index_sequence<i...>) {  // a loop would convert and count as it runs
    ((sum = multiply_add(sum, x, S(c[count - 1 - i]))), ...);
  };
  add(std::make_index_sequence<count>());
  return sum;
}
template <class S, std::size_t N>
EIGEN_ALWAYS_INLINE Register<S> polynomial(const Register<S>& x, const std::array<double, N>& c) {
  return horner<S, N, N - 1>(S(c[N - 1]), x, c);
}

/// The whole number n nearest to x and 2^(n - less), 0 for the lowest n that there is and infinite for the highest, from
/// the bits of x + whole: a sum that has no room for a fraction.
template <class S, int less>
struct WholePower {
  using Bits = std::conditional_t<sizeof(S) == 4, std::uint32_t, std::uint64_t>;
  static constexpr int fraction = std::numeric_limits<S>::digits - 1;
  static constexpr S whole = S(1.5) * S(Bits(1) << fraction) + (std::numeric_limits<S>::max_exponent - 1 - less);
  Register<S> n, power;

  EIGEN_ALWAYS_INLINE explicit WholePower(Register<S> sum) {
    EIGEN_OPTIMIZATION_BARRIER(sum.packet)  // -ffast-math would not round
    n = sum - whole;
    S numbers[Packet<S>::size];
    store(numbers, sum);
    for (S& number : numbers) number = Eigen::numext::bit_cast<S>(Eigen::numext::bit_cast<Bits>(number) << fraction);
    power = load(numbers);
  }
};

/// x = n log 2 + r with n whole and |r| <= log(2) / 2.  p = e^r - 1    half = 2^(n - 1), 0 at the lowest n that there is
template <class S>
struct Power {
  Register<S> p, half;

  EIGEN_ALWAYS_INLINE explicit Power(const Register<S>& x) {
    const WholePower<S, 1> of(multiply_add(x, S(1.4426950408889634), WholePower<S, 1>::whole));
    half = of.power;
    const Register<S> nearly = multiply_add(of.n, S(-0.693145751953125), x);  // without an error of rounding
    const Register<S> r = multiply_add(of.n, S(-1.42860682030941723e-6), nearly);
    p = multiply_add(r * r, polynomial<S>(r, slope()), r);
  }

 private:
  static constexpr auto slope() {  // (e^r - 1 - r) / r^2 over +-0.35
    if constexpr (sizeof(S) == 4)
      return std::array{0.5, 0.166665734, 0.0416665501, 0.00836377387, 0.00139269266};
    else
      return std::array{0.5,
                        0.16666666666666668,
                        0.041666666666620639,
                        0.0083333333333297935,
                        0.0013888888918939168,
                        0.00019841269864380513,
                        2.4801518641395994e-5,
                        2.7557266418612304e-6,
                        2.7621338669142924e-7,
                        2.510134692835034e-8};
  }
};

/// e^x within 1 epsilon, infinite where that is too large; 0 below twice the least normal number.
template <class S>
EIGEN_ALWAYS_INLINE Register<S> exponential(const Register<S>& x) {
  constexpr double log2 = 0.6931471805599453, most = std::numeric_limits<S>::max_exponent;
  const Power<S> of(min(max(x, S((2 - most) * log2)), S((most + 0.25) * log2)));
  const Register<S> y = of.p + S(1);
  return (y + y) * of.half;
}

/// 2^x within 1 epsilon where that is a normal number; infinite where it is more than 0.7 of the largest, 0 where it is less
/// than 0.7 of the least.
template <class S>
EIGEN_ALWAYS_INLINE Register<S> power_of_two(const Register<S>& x) {
  constexpr auto slope = [] {  // (2^r - 1) / r over +-0.501
    if constexpr (sizeof(S) == 4)
      return std::array{0.693147188, 0.240226508, 0.0555035668, 0.00961808218, 0.00133910932, 0.00015453362};
    else
      return std::array{0.69314718055994530942,     0.24022650695910098765,   0.055504108664821594629,
                        0.009618129107606540525,    0.0013333558146416749814, 0.00015403530442319544979,
                        0.000015252733830147138069, 1.3215442232969343659e-6, 1.0178062256646542214e-7,
                        7.0726567993629233382e-9,   4.4549983631048685699e-10};
  }();
  constexpr int most = std::numeric_limits<S>::max_exponent;
  const Register<S> bounded = min(max(x, S(1 - most)), S(most));
  const WholePower<S, 0> of(bounded + WholePower<S, 0>::whole);
  const Register<S> r = bounded - of.n;
  return multiply_add(polynomial<S>(r, slope), r, S(1)) * of.power;
}

/// Hyperbolic tangent within 3 epsilons: E / (E + 2), E = e^2x - 1; for float x P(t) / Q(t) with t = x^2 up to 64: fitted to
/// 7e-9, then the last bits of the coefficients chosen by the errors of rounding.
template <class S>
EIGEN_ALWAYS_INLINE Register<S> tangent(const Register<S>& x) {
  if constexpr (sizeof(S) == 4) {
    constexpr std::array P{65391676., 8793085., 233730.328};  // and 1, which costs no product
    constexpr std::array Q{65391676., 30590310., 1711614.38, 22335.9551, 55.8948326};
    const Register<S> t = min(x * x, S(64));
    const Register<S> slope = horner<S>(t + S(1434.63672), t, P) / polynomial<S>(t, Q);
    return min(max(x * slope, S(-1)), S(1));
  } else {
    const Register<S> bounded = min(max(x, S(-20)), S(20));
    const Power<S> of(bounded + bounded);
    const Register<S> half = multiply_add(of.half, of.p, of.half - S(0.5));
    return half / (half + S(1));
  }
}

/// 1 / (1 + e^-x) within 2 epsilons
template <class S>
EIGEN_ALWAYS_INLINE Register<S> sigmoid(const Register<S>& x) {
  return S(1) / (exponential<S>(-x) + S(1));
}

/// log(1 + e^x) = max(x, 0) + 2 artanh(z) within 2.5 epsilons, z = u / (2 + u), u = e^-|x|
template <class S>
EIGEN_ALWAYS_INLINE Register<S> softplus(const Register<S>& x) {
  constexpr auto series = [] {  // (artanh(z) - z) / z^3 of z^2 in 0 to 1/9
    if constexpr (sizeof(S) == 4)
      return std::array{0.333333337, 0.199998532, 0.14296179, 0.108532879, 0.116121646};
    else
      return std::array{0.33333333333333333,  0.20000000000000008,  0.14285714285710972,  0.11111111111665993,
                        0.090909090430028277, 0.076923101269020812, 0.066665884745690892, 0.058839988836205181,
                        0.05240199617182637,  0.049710124482773673, 0.031670554258851227, 0.076156313097144924};
  }();
  const Register<S> u = exponential<S>(-abs(x));
  const Register<S> z = u / (u + S(2)), square = z * z, twice = z + z;
  return max(x, S(0)) + multiply_add(twice * square, polynomial<S>(square, series), twice);
}

/// 1 where x > 0, else 0
template <class S>
EIGEN_ALWAYS_INLINE Register<S> step(const Register<S>& x) {
  constexpr S huge = std::numeric_limits<S>::max();  // twice, for the least x that there is
  return min(max(x * huge * huge, S(0)), S(1));
}

/// The standard normal distribution: its density times sqrt(2 pi), bell = e^(-x^2 / 2), and how much of it lies below x,
/// which for x < 0 is bell times E(|x|), E(a) = e^(a^2 / 2) erfc(a / sqrt(2)) / 2: for float P(a) / Q(a), fitted to 6e-9, for
/// double t P(2 t - 1) with t = 1 / (1 + a / 4). Within 3 epsilons of 1, and 8 + x^2 / 2 of the result.
template <class S>
struct Normal {
  Register<S> bell, below;

  EIGEN_ALWAYS_INLINE explicit Normal(const Register<S>& x) {
    bell = power_of_two<S>(x * x * S(-0.72134752044448170));          // -x^2 / 2 log2 e
    const Register<S> tail = bell * scaled_tail(min(abs(x), S(40)));  // beyond which bell is 0
    below = where_positive(x, S(1) - tail, tail);
  }

 private:
  EIGEN_ALWAYS_INLINE static Register<S> scaled_tail(const Register<S>& a) {
    if constexpr (sizeof(S) == 4) {
      constexpr std::array P{48.9141882532, 42.776605107, 17.8507473944, 3.94985632587, 0.398947303644};
      constexpr std::array Q{97.8283759688, 163.608999522, 117.327959763, 45.7299501844};  // and 9.9 and 1
      return polynomial<S>(a, P) / horner<S>(a + S(9.90148753993), a, Q);
    } else {
      constexpr std::array P{
          0.18882128260393765,   0.15197416049297305,   0.096784350185607448,    0.046630464489907818,
          0.015099143720573234,  0.0018850472419480878, -0.00086992305789279939, -0.0004077046187199162,
          3.3335803456733234e-5, 5.777377036357227e-5,  -4.7576311869306697e-7,  -8.7863554367968307e-6,
          1.7530145020670271e-7, 1.4806324815994619e-6, -1.5000437772071203e-7,  -2.5663007093870759e-7,
          5.8725664265334132e-8, 4.0467139594366748e-8, -1.4154745790122871e-8,  -4.8525753412224157e-9,
          1.6896247309169096e-9, 3.1181017205440982e-10};
      const Register<S> t = S(1) / (a * S(0.25) + S(1));
      return t * polynomial<S>(t + t - S(1), P);
    }
  }
};

/// Whether so many numbers fill a register.
template <class S>
constexpr bool fills(Index count) {
  return Packet<S>::size == 1 || count == Packet<S>::size;
}
/// As many numbers as a register holds, or fewer, and zeros in the lanes behind them.
template <class S>
Register<S> load(const S* from, Index count) {
  return fills<S>(count) ? load(from) : Register<S>(Packet<S>::load_first(from, count));
}
template <class S>
void store(S* to, const Register<S>& x, Index count) {
  fills<S>(count) ? store(to, x) : Packet<S>::store_first(to, x.packet, count);
}

/// Where a register of numbers is to lie.
template <class S>
struct Slot {
  S* at;
  operator Register<S>() const { return load(at); }
  Slot& operator=(const Register<S>& x) { return store(at, x), *this; }
  Slot& operator+=(const Register<S>& x) { return *this = load(at) + x; }
};
template <class S>
Slot<S> slot(S* to) {
  return {to};
}
template <class S>
Register<S> slot(const S* from) {
  return load(from);
}

/// Calls f(x...) for columns of n numbers, for registers and then for the last few numbers one by one: where f is simple
/// enough to take both.
template <class S, class F, class... X>
EIGEN_ALWAYS_INLINE void each_part(Index n, const F& f, X*... x) {
  constexpr Index size = Packet<S>::size;
  Index i = 0;
  for (; i + size <= n; i += size) f(slot(x + i)...);
  for (; i < n; ++i) f(x[i]...);
}
/// A sum of what each_part gives.
template <class S>
struct Sum {
  Register<S> lanes = S(0);
  S rest = 0;
  void operator+=(const Register<S>& x) { lanes += x; }
  void operator+=(S x) { rest += x; }
  S total() const { return lanes.sum() + rest; }
};

/// y = f(x...), or y += f(x...) where `add`, for columns of n numbers. Flat, all that it calls is in line: a register on its
/// way through memory costs more than most f.
template <class S, class F, class... X>
[[gnu::flatten]] void elementwise_run(Index n, S* y, bool add, const F& f, const X*... x) {
  constexpr Index size = Packet<S>::size;
  Index i = 0;
  for (; i + size <= n; i += size) {
    const Register<S> part = f(load(x + i)...);
    store(y + i, add ? load(y + i) + part : part);
  }
  if (size == 1 || i == n) return;
  const Register<S> part = f(load(x + i, n - i)...);
  store(y + i, add ? load(y + i, n - i) + part : part, n - i);
}
/// The same, number by number, for matrices of one shape: in one run where all are contiguous.
template <class Y, class F, class... X>
void elementwise(Y&& y, bool add, const F& f, const X&... x) {
  const bool run = column_stride(y) == y.rows() && ((column_stride(x) == x.rows()) && ...);
  const Index rows = run ? y.size() : y.rows(), columns = run ? 1 : y.cols();
  for (Index j = 0; j < columns; ++j)
    elementwise_run(rows, y.data() + j * column_stride(y), add, f, (x.data() + j * column_stride(x))...);
}

template <class X>
void tangent_in_place(X&& x) {
  using S = typename Plain<X>::Scalar;
  elementwise(
      x, false, [](const Register<S>& xi) { return tangent<S>(xi); }, x);
}
template <class X>
void sigmoid_in_place(X&& x) {
  using S = typename Plain<X>::Scalar;
  elementwise(
      x, false, [](const Register<S>& xi) { return sigmoid<S>(xi); }, x);
}

/// y += the sum of the columns of x, a strip of so many registers at a time.
template <class S, int strip = 4>
void add_columns(Index rows, Index columns, const S* x, Index stride, S* y) {
  constexpr Index size = Packet<S>::size;
  Index i = 0;
  for (; i + strip * size <= rows; i += strip * size) {
    Register<S> sums[strip];
    unrolled<strip>([&](auto k) { sums[k] = load(y + i + k * size); });
    for (Index j = 0; j < columns; ++j)
      unrolled<strip>([&](auto k) { sums[k] += load(x + i + k * size + j * stride); });
    unrolled<strip>([&](auto k) { store(y + i + k * size, sums[k]); });
  }
  if constexpr (strip > 1) return add_columns<S, 1>(rows - i, columns, x + i, stride, y + i);
  for (; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) y[i] += x[i + j * stride];
}

}  // namespace heed::detail
