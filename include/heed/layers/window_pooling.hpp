#pragma once
#include "heed/core/memory.hpp"
#include "heed/detail/transpose.hpp"
#include "heed/layers/additive_pooling.hpp"

namespace heed {

/// Whether a window is the last observations at each time step, or comes as a sequence of its own.
enum class Windows { sliding, given };

/// Additive attention (Yang et al. 2016, eq. 5-7) over windows of embedded observations with their places. It computes what
/// Linear, sinusoidal positions and AdditivePooling would:
///
///   e_i = We x_i + be + PE(place of i)    u_i = tanh(W e_i + b)    a = softmax(v' u) over the window    y = sum_i a_i e_i
///
///   x: O x observations, along `time`, or given windows along `windows`, whose sequences are windows of at most T
///   y: D x windows, along `time`    We ("embedding"): D x O, orthogonal, be zero    W, b, v ("attention"): AdditivePooling's
///   PE ("positions"): T x D, the last row for the newest, not trained
///
/// But all is linear up to the tangent, so nothing of D x D is done for each token of a window:
///
///   Q = [We  PE' + be]    C = W Q, and b added to the columns of places    k_i = C_left x_i, once an observation
///   u_i = tanh(k_i + C_place)    z = [sum_i a_i x_i; a_i at its place]    y = Q z
///
/// Observations wider than their embeddings, and those of acting, are embedded first, r_i = We x_i, and stand in Q themselves:
///
///   Q = [r  PE' + be]    C = W Q    k = C_left    y = sum_i a_i r_i + Q_place a
///
/// What a lane remembers is r and k. An empty window answers zero.
template <class S>
class WindowPooling {
 public:
  Axis time, windows;
  Windows kind;  ///< whether windows are given or made of what goes before
  Index window;  ///< T
  Linear<S> embedding;
  Weight<> positions;
  AdditivePooling<S> attention;
  Columns<> Q, C;  ///< along an axis of their own
  Columns<> k;     ///< of narrow observations; that of given windows lies where u does
  Columns<> z;     ///< along `time`
  Remembered<> past_r, past_k;

  WindowPooling(Scope at, Index observation, Index window_, Index width, Windows kind_ = Windows::sliding)
      : time(at.axis()),
        windows(at.child_axis()),
        kind(kind_),
        window(checked(window_)),
        embedding(at / "embedding", observation, width, LinearInit::orthogonal(std::sqrt(double(width)))),
        positions(at.weight<Dynamic, Dynamic>("positions", {window, width}, sinusoidal(),
                                              {.trained = false, .decays = false})),
        attention(at.along(windows) / "attention", width, width),
        z(at.columns(narrow() ? observation + window : window)) {
    const Scope table = at.along(at.new_axis());
    Q = table.columns(width);
    C = table.columns(width);
    if (narrow()) k = kind == Windows::given ? attention.u : at.columns(width);
    if (kind == Windows::given) return;
    past_r = at.remembered(width, window);
    past_k = at.remembered(width, window);
  }

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    if (kind == Windows::sliding) {
      const SequencesView s = a.sequences(time);
      begin(a, [&](Index column) { return column + 1 - s.first(s.sequence_of(column)); });
    }
    if (narrow()) {
      tabulate(p, x.rows(), a, [&](Write<S> We) {
        detail::transpose(We.rows(), We.cols(), p[embedding.weight].data(), We.cols(), We.data(), We.rows());
      });
      detail::multiply(a[k], left(a[C]), x);
    } else {
      embed(p, x, a);
    }
    look(p, a, slices(keys(a), a));
    sum(narrow() ? Write<S>(a[z].topRows(x.rows())) : y, a[z], a, slices(tokens(x, a), a));
    detail::multiply(y, a[Q].rightCols(z.rows), a[z], !narrow());
  }

  void extend(ParametersView<const S> p, Read<S> x, Write<S> y, MemoryView<S> m, ActivationsView<S> a) const {
    if (kind == Windows::given) detail::fail("WindowPooling: windows that are given cannot be extended");
    check(x, "y", y, a);
    const SequencesView s = a.sequences(time);
    m.begin(time, s);
    embed(p, x, a);
    for (Index lane = 0; lane < m.lanes(); ++lane) {
      m.write(past_r, lane, a[Q].middleCols(s.first(lane), s.length(lane)));
      m.write(past_k, lane, a[C].middleCols(s.first(lane), s.length(lane)));
    }
    const auto end = [&](Index lane, Index column) {  // of a window, in what the lane sees
      return m(past_r, lane).cols() - (s.first(lane) + s.length(lane) - column - 1);
    };
    begin(a, [&](Index column) { return end(s.sequence_of(column), column); });
    const auto seen = [&](const Remembered<>& past) {
      return [&](Index column, Index n) {
        const Index lane = s.sequence_of(column);
        return Read<S>(m(past, lane).middleCols(end(lane, column) - n, n));
      };
    };
    const Columns<> shares{z.axis, z.row, window};
    look(p, a, seen(past_k));
    sum(y, a[shares], a, seen(past_r));
    detail::multiply(y, places(a[Q]), a[shares], true);
  }

  // dz = Q' dy    dQ = dy z'    da_i = x_i . dz_x + dz_place    du: AdditivePooling    dk_i, dC_place = sum over windows of du
  // dC_left = dk x'    dW += dC Q'    dQ += W' dC    dWe += dQ_left    dx_i = C_left' dk_i + sum over windows of a_i dz_x
  //
  // embedded first: da_i = r_i . dy + dz_place    dC_left = dk    dQ_left = W' dk + sum of a_i dy    dWe += dQ_left x'
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("WindowPooling", "dx", dx, x.rows(), x.cols());
    const Linear<S>& alignment = attention.alignment;
    const Read<S> seen = tokens(x, a);
    detail::multiply(a.d(z), a[Q].rightCols(z.rows).transpose(), dy);
    detail::multiply(a.d(Q).rightCols(z.rows), dy, a[z].transpose());
    const Read<S> dsum = narrow() ? Read<S>(a.d(z).topRows(x.rows())) : dy;
    each_window(a, [&](Index s, Index first, Index n) {
      auto da = a.d(attention.weights).segment(first, n);
      detail::multiply(da, dsum.col(s).transpose(), slices(seen, a)(s, n));
      for (Index i = 0; i < n; ++i) da[i] += a.d(z)(z.rows - n + i, s);
    });
    attention.weigh_backward(p, a, g);
    Write<S> dk = narrow() ? Write<S>(a.d(k)) : Write<S>(left(a.d(C)));
    add_up(dk, a);
    if (narrow()) {
      detail::multiply(left(a.d(C)), dk, x.transpose());
    } else {
      left(a.d(Q)).setZero();
      share(dsum, a, left(a.d(Q)));
    }
    detail::multiply(g[alignment.weight], a.d(C), a[Q].transpose(), true);
    detail::multiply(a.d(Q), p[alignment.weight].transpose(), a.d(C), true);
    detail::add_columns<S>(Q.rows, window, places(a.d(Q)).data(), Q.rows, g[embedding.bias].data());
    if (narrow()) {
      detail::transpose(x.rows(), Q.rows, a.d(Q).data(), Q.rows, g[embedding.weight].data(), x.rows(), true);
      if (!dx.wanted()) return;
      detail::multiply(dx, left(a[C]).transpose(), dk, dx.adds());
      share(dsum, a, dx);
    } else {
      Linear<S>(embedding.weight, {}).backward(p, x, left(a.d(Q)), g, dx);
    }
  }

  /// How much each observation of a sequence counted at each of its steps, after a forward over sliding windows:
  /// observations x steps, 0 outside of the window. What given windows attended to `attention.weights_of` says.
  void weights(ActivationsView<S> a, Index sequence, Write<S> w) const {
    if (kind == Windows::given) detail::fail("WindowPooling: windows that are given are no sequence in time");
    const SequencesView s = a.sequences(time), of = a.sequences(windows);
    if (sequence < 0 || sequence >= s.count())
      detail::fail("WindowPooling: sequence %ld asked for, but there are %ld", long(sequence), long(s.count()));
    detail::expect_shape("WindowPooling", "weights", w, s.length(sequence), s.length(sequence));
    constexpr const char* known = "weights are known after a forward over whole sequences";
    if (of.count() != a.columns(time))
      detail::fail("WindowPooling: %ld windows of %ld steps: %s", long(of.count()), long(a.columns(time)), known);
    w.setZero();
    for (Index t = 0; t < w.cols(); ++t) {
      const Index column = s.first(sequence) + t, n = of.length(column);
      if (n != std::min(t + 1, window))
        detail::fail("WindowPooling: the window of step %ld of sequence %ld has %ld tokens: %s", long(t),
                     long(sequence), long(n), known);
      w.col(t).segment(t + 1 - n, n) = a[attention.weights].segment(of.first(column), n).transpose();
    }
  }

  Node graph(Graph& g, const Node& x) const {
    const auto whole = [&](Index i) { return g.constant(std::vector<std::int64_t>{i}, {}); };
    const Node e = embedding.graph(g, x), places_of = g.weight(positions);
    if (kind == Windows::given) {
      const Node from_end = detail::positions_of(g, g.subtract(whole(window), g.length(x)), whole(window));
      return attention.graph(g, g.add(e, g.gather(places_of, from_end, 0, e.rows, 2)));
    }
    std::vector<std::int64_t> pads(std::size_t(2 * e.rank), 0);
    pads[std::size_t(e.rank - 2)] = window - 1;
    const Node padded = g.op("Pad", {e, g.constant(pads)}, e.rows);
    const Node slots = detail::positions_of(g, whole(0), whole(window));
    const Node tokens = g.add(g.unsqueeze(detail::positions_of(g, x), {1}), slots);  // of window t those from t on
    const Node seen = g.op("GreaterOrEqual", {tokens, whole(window - 1)}, window);
    return attention.graph(g, g.add(g.gather(padded, tokens, -2, e.rows, e.rank + 1), places_of), &seen);
  }

 private:
  using R = detail::Register<S>;

  /// Whether We itself stands in Q.
  bool narrow() const { return embedding.in() <= embedding.out(); }

  // The columns of Q and C.
  template <class M>
  auto left(M&& table) const {
    return table.leftCols(table.cols() - window);
  }
  template <class M>
  auto places(M&& table) const {
    return table.rightCols(window);
  }
  /// Fills them: fill(left columns of Q).
  template <class Fill>
  void tabulate(ParametersView<const S> p, Index columns, ActivationsView<S> a, Fill fill) const {
    a.begin(Q.axis, 1, [&](Index) { return columns + window; });
    fill(left(a[Q]));
    const auto add = [](const R& b, const R& place) { return place + b; };
    const auto each_place = [&](const auto& b, auto to, const S* from) {
      for (Index i = 0; i < window; ++i)
        detail::elementwise_run(Q.rows, to.col(i).data(), false, add, p[b].data(), from + i * Q.rows);
    };
    each_place(embedding.bias, places(a[Q]), p[positions].data());
    detail::multiply(a[C], p[attention.alignment.weight], a[Q]);
    each_place(attention.alignment.bias, places(a[C]), places(a[C]).data());
  }
  void embed(ParametersView<const S> p, Read<S> x, ActivationsView<S> a) const {
    tabulate(p, x.cols(), a, [&](Write<S> r) { detail::multiply(r, p[embedding.weight], x); });
  }

  /// What stands for an observation, in the keys and in the sum.
  Read<S> keys(ActivationsView<S> a) const { return narrow() ? Read<S>(a[k]) : Read<S>(left(a[C])); }
  Read<S> tokens(Read<S> x, ActivationsView<S> a) const { return narrow() ? x : Read<S>(left(a[Q])); }

  template <class Count>
  void begin(ActivationsView<S> a, Count count) const {
    a.begin(windows, a.columns(time), [&](Index column) { return std::min(count(column), window); });
  }
  /// f(window, its first column along `windows`, how many)
  template <class F>
  void each_window(ActivationsView<S> a, F f) const {
    const SequencesView of = a.sequences(windows);
    for (Index s = 0; s < of.count(); ++s) f(s, of.first(s), of.length(s));
  }
  /// The columns of a window in what has a column an observation: slices(m, a)(window, how many).
  template <class M>
  auto slices(M m, ActivationsView<S> a) const {
    return [m, of = a.sequences(windows), overlap = kind == Windows::sliding](Index s, Index n) mutable {
      return m.middleCols(overlap ? s + 1 - n : of.first(s), n);
    };
  }

  /// From keys to a[attention.weights]. keys_of(window, how many): contiguous.
  template <class KeysOf>
  void look(ParametersView<const S> p, ActivationsView<S> a, KeysOf keys_of) const {
    const auto look = [](const R& key, const R& place) { return detail::tangent<S>(key + place); };
    each_window(a, [&](Index s, Index first, Index n) {
      detail::elementwise_run(C.rows * n, a[attention.u].middleCols(first, n).data(), false, look, keys_of(s, n).data(),
                              a[C].rightCols(n).data());
    });
    attention.weigh(p, a);
  }
  /// y = sum over a window of a_i times its tokens, and the last rows of z = a_i at their places.
  template <class TokensOf>
  void sum(Write<S> y, Write<S> z_, ActivationsView<S> a, TokensOf tokens_of) const {
    each_window(a, [&](Index s, Index first, Index n) {
      const auto w = a[attention.weights].segment(first, n);
      detail::multiply(y.col(s), tokens_of(s, n), w.transpose());
      S* at_place = z_.col(s).tail(window).data();
      std::fill_n(at_place, window - n, S(0));
      std::copy_n(w.data(), n, at_place + (window - n));
    });
  }
  /// The sums of du over windows, to dk and the places of dC.
  void add_up(Write<S> dk, ActivationsView<S> a) const {
    const bool apart = dk.data() != a.d(attention.u).data();
    const auto same = [](const R& du) { return du; };
    places(a.d(C)).setZero();
    if (apart) dk.setZero();
    auto dk_of = slices(dk, a);
    each_window(a, [&](Index s, Index first, Index n) {
      const S* du = a.d(attention.u).middleCols(first, n).data();
      detail::elementwise_run(C.rows * n, a.d(C).rightCols(n).data(), true, same, du);
      if (apart) detail::elementwise_run(C.rows * n, dk_of(s, n).data(), true, same, du);
    });
  }
  /// dx_i += a_i dsum
  void share(Read<S> dsum, ActivationsView<S> a, Write<S> dx) const {
    auto dx_of = slices(dx, a);
    each_window(a, [&](Index s, Index first, Index n) {
      detail::multiply(dx_of(s, n), dsum.col(s), a[attention.weights].segment(first, n), true);
    });
  }

  static Index checked(Index window) {
    if (window < 1) detail::fail("WindowPooling: window %ld must be at least 1", long(window));
    return window;
  }
  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    const SequencesView of = a.sequences(windows);
    const bool given = kind == Windows::given;
    detail::expect_shape("WindowPooling", "x", x, embedding.in(), given ? of.columns() : a.columns(time));
    detail::expect_shape("WindowPooling", what, y, embedding.out(), a.columns(time));
    for (Index s = 0; given && s < of.count(); ++s)
      if (of.length(s) > window) [[unlikely]]
        detail::fail("WindowPooling: window %ld has %ld tokens, but at most %ld fit", long(s), long(of.length(s)),
                     long(window));
  }
};

}  // namespace heed
