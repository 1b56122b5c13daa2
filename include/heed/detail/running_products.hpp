#pragma once
#include "heed/detail/product.hpp"

namespace heed::detail {

/// Over which i a sum for j goes: all of them, i <= j, or i >= j.
enum class Reach { all, before, after };

/// o_j += T a_j + sum over i of x_i (b_i . a_j), T += sum over i of x_i b_i', in time linear in the number of columns:
/// T is the sum of what earlier chunks of columns gave, and only within a chunk are there products of pairs.
///
///   x: X x m    b: E x m    a: E x n    o: X x n    T: X x E    m = n unless all are summed
template <class S>
void running_products(Reach reach, Read<S> x, Read<S> b, Read<S> a, Write<S> o, Write<S> T) {
  if (reach == Reach::all) {
    multiply(T, x, b.transpose(), true);
    multiply(o, T, a, true);
    return;
  }
  constexpr Index chunk = 32;
  S tile[chunk * chunk];
  const Index n = a.cols();
  for (Index done = 0; done < n; done += chunk) {
    const Index c = std::min(chunk, n - done), t = reach == Reach::before ? done : n - done - c;
    Eigen::Map<Tokens<S>> pairs(tile, c, c);
    multiply(o.middleCols(t, c), T, a.middleCols(t, c), true);
    multiply(pairs, b.middleCols(t, c).transpose(), a.middleCols(t, c));
    for (Index j = 0; j < c; ++j)
      if (reach == Reach::before)
        pairs.col(j).tail(c - j - 1).setZero();
      else
        pairs.col(j).head(j).setZero();
    multiply(o.middleCols(t, c), x.middleCols(t, c), pairs, true);
    multiply(T, x.middleCols(t, c), b.middleCols(t, c).transpose(), true);
  }
}

/// The same with o overwritten and nothing before: T is made a block at a time, each in turn in one small place.
template <class S>
void running_products(Reach reach, Read<S> x, Read<S> b, Read<S> a, Write<S> o) {
  constexpr Index most = 64;
  S room[most * most];
  const auto each_part = [](Index rows, auto f) {
    const Index parts = (rows + most - 1) / most;  // as equal as can be: 65 rows are not 64 and 1
    for (Index i = 0; i < parts; ++i) f(i * rows / parts, (i + 1) * rows / parts - i * rows / parts);
  };
  o.setZero();
  each_part(x.rows(), [&](Index x0, Index nx) {
    each_part(b.rows(), [&](Index e0, Index ne) {
      Eigen::Map<Tokens<S>> T(room, nx, ne);
      T.setZero();
      running_products<S>(reach, x.middleRows(x0, nx), b.middleRows(e0, ne), a.middleRows(e0, ne), o.middleRows(x0, nx),
                          T);
    });
  });
}

}  // namespace heed::detail
