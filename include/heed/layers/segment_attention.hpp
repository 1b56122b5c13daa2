#pragma once
#include "heed/core/graph.hpp"
#include "heed/detail/inner_attention.hpp"
#include "heed/layers/dot_product_attention.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Multi-head self-attention with the segment memory of Transformer-XL (Dai et al. 2019, sec. 3.2): an episode comes segment by
/// segment through `extend`, and memory holds the inputs of the past, which are projected anew with the weights of today.
///
///   s = [past; x]    Q = Wq x + bq    [K; V] = Wkv s + bkv    y = Wout [head 1; head 2; ...] + bout
///
///   x, y: D x n, along the axis of its scope; weights: as MultiHeadAttention's
///
/// `backward` after `extend` takes the past as constant, as published: the gradient of Wkv includes what it makes of the
/// past. How far back a segment sees: with a Window so many tokens, each query its own; with Causal and a ring of memory all
/// that the ring holds. `forward` is `extend` without a past. For acting with a Window and weights
/// that stay the same, MultiHeadAttention remembers keys and values instead, gives the same answers and costs less.
template <class S, int D = Dynamic>
class SegmentAttention {
 public:
  using Config = AttentionConfig;
  detail::HeadWidths widths;  ///< of queries, keys and values
  Linear<S, D, Dynamic> q_proj, kv_proj;
  Linear<S, Dynamic, D> out_proj;
  Axis spans;  ///< a sequence's past and its new columns
  DotProductAttention<S> attention;
  Columns<> query, mixed, span, key_value;
  Remembered<> inputs;
  Index dim;  ///< width

  SegmentAttention(Scope at, const Config& c)
      : SegmentAttention{at, c, detail::HeadWidths("SegmentAttention", c), at.new_axis()} {}

  void forward(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, ActivationsView<S> a) const {
    check(x, "y", y, a);
    a.begin(spans, a.sequences(query.axis));
    a[span] = x;
    attend(p, x, y, a);
  }

  /// A segment of each lane, after what it remembers.
  void extend(ParametersView<const S> p, Read<S, D> x, Write<S, D> y, MemoryView<S> m, ActivationsView<S> a) const {
    check(x, "y", y, a);
    const SequencesView s = a.sequences(query.axis);
    m.begin(query.axis, s);
    a.begin(spans, s.count(), [&](Index lane) { return s.length(lane) > 0 ? m(inputs, lane).cols() : 0; });
    const SequencesView of = a.sequences(spans);
    for (Index lane = 0; lane < s.count(); ++lane) {
      m.write(inputs, lane, x.middleCols(s.first(lane), s.length(lane)));
      a[span].middleCols(of.first(lane), of.length(lane)) = m(inputs, lane).leftCols(of.length(lane));
    }
    attend(p, x, y, a);
  }

  // ds = Wkv' d[K; V], of which the last columns of each sequence belong to dx
  /// After forward or extend.
  void backward(ParametersView<const S> p, Read<S, D> x, Read<S, D> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S, D> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("SegmentAttention", "dx", dx, dim, x.cols());
    out_proj.backward(p, a[mixed], dy, g, a.d(mixed));
    attention.backward(p, a[query], key(a[key_value]), value(a[key_value]), a[mixed], a.d(mixed), a, g, a.d(query),
                       key(a.d(key_value)), value(a.d(key_value)));
    q_proj.backward(p, x, a.d(query), g, dx);
    kv_proj.backward(p, a[span], a.d(key_value), g, a.d(span));
    if (!dx.wanted()) return;
    const SequencesView s = a.sequences(query.axis), of = a.sequences(spans);
    for (Index i = 0; i < s.count(); ++i)
      dx.middleCols(s.first(i), s.length(i)) +=
          a.d(span).middleCols(of.first(i) + of.length(i) - s.length(i), s.length(i));
  }

  Index heads() const { return attention.config.heads; }
  /// The attention weights of one sequence and head after forward or extend, span x queries.
  void weights(ParametersView<const S> p, ActivationsView<S> a, Index sequence, Index head, Write<S> w) const {
    attention.weights(p, a[query], key(a[key_value]), a, sequence, head, w);
  }

  template <class... Nodes>
  Node graph(Graph& g, const Nodes&...) const {
    return g.unsupported("SegmentAttention");
  }

 private:
  SegmentAttention(Scope at, const Config& c, const detail::HeadWidths& w, Axis spans_)
      : SegmentAttention{at,
                         c,
                         w,
                         spans_,
                         at.weight<Dynamic, D>("in_proj_weight", {w.packed(), c.dim}, xavier_uniform()),
                         w.packed_bias(at)} {}
  SegmentAttention(Scope at, const Config& c, const detail::HeadWidths& w, Axis spans_, Weight<Dynamic, D> in,
                   Weight<Dynamic, 1> b)
      : widths(w),
        q_proj(in.middle_rows(0, w.queries), b.middle_rows(0, w.queries)),
        kv_proj(in.middle_rows(w.queries, w.keys + w.values), b.middle_rows(w.queries, w.keys + w.values)),
        out_proj(at / "out_proj", w.answers, c.dim, {LinearInit::pytorch(w.answers).weight, zero()}, w.bias),
        spans(spans_),
        attention(at, spans, over_span(c)),
        query(at.columns(w.queries)),
        mixed(at.columns(w.answers)),
        span(at.along(spans).columns(c.dim)),
        key_value(at.along(spans).columns(w.keys + w.values)),
        inputs(at.remembered(c.dim, c.mask.lookback())),
        dim(c.dim) {}

  static Config over_span(Config c) {
    if (c.position.kind == Position::Kind::distance)
      detail::fail("SegmentAttention: positions by distance in space are not for it");
    if (c.position.kind == Position::Kind::rotary && c.memory_tokens > 0)
      detail::fail(
          "SegmentAttention: rotary positions do not go with memory tokens (%ld): these stand at position 0, which "
          "a segment does not know",
          long(c.memory_tokens));
    c.queries_last = true;
    c.remembers = false;
    return c;
  }
  template <class Y>
  void check(const Read<S, D>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    detail::expect_shape("SegmentAttention", "x", x, dim, a.columns(query.axis));
    detail::expect_shape("SegmentAttention", what, y, dim, x.cols());
  }
  void attend(ParametersView<const S> p, const Read<S, D>& x, Write<S, D> y, ActivationsView<S> a) const {
    q_proj.forward(p, x, a[query]);
    kv_proj.forward(p, a[span], a[key_value]);
    attention.forward(p, a[query], key(a[key_value]), value(a[key_value]), a[mixed], a);
    out_proj.forward(p, a[mixed], y);
  }
  auto key(auto m) const { return m.topRows(widths.keys); }
  auto value(auto m) const { return m.bottomRows(widths.values); }
};

}  // namespace heed
