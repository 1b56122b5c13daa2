// All masks with all positions and all other settings of attention, in combination.
#include "heed/layers/cross_attention.hpp"
#include "heed/layers/multi_head_attention.hpp"
#include "heed/layers/positions.hpp"

#include "../support.hpp"

using namespace support;
using heed::AttentionConfig, heed::Position;
using Kind = Position::Kind;

namespace {

/// A position, where `distance` means between places made for it.
struct NamedPosition {
  const char* name;
  Position position;
};
std::vector<NamedPosition> positions() {
  return {{"none", {}},
          {"rotary", heed::rotary()},
          {"rotary, interleaved", heed::rotary(true, 100)},
          {"ALiBi", heed::alibi()},
          {"relative", heed::relative()},
          {"distance", {.kind = Kind::distance}}};
}
std::vector<NamedMask> all_masks() {
  return {full(), causal(), window(1), window(3), around(), strided(1), strided(3)};
}

/// What else may be said, without mask and position.
struct NamedSetting {
  const char* name;
  AttentionConfig config;
};
std::vector<NamedSetting> settings() {
  return {{"plain", {.dim = 8, .heads = 2}},
          {"two query heads a key head", {.dim = 8, .value_dim = 12, .heads = 4, .key_heads = 2}},
          {"one key head", {.dim = 8, .heads = 4, .key_heads = 1}},
          {"normalised", {.dim = 8, .heads = 2, .normalise = true}},
          {"memory tokens", {.dim = 8, .heads = 2, .memory_tokens = 3}},
          {"sink", {.dim = 8, .heads = 2, .sink = true}},
          {"all", {.dim = 8, .heads = 4, .key_heads = 2, .normalise = true, .memory_tokens = 1, .sink = true}}};
}

constexpr Index coordinates = 2;

/// Attention over one axis. Where it needs places, these are the first rows of x.
template <class S, int D = Dynamic>
struct Placed {
  heed::Columns<> place;
  heed::MultiHeadAttention<S, D> attention;

  Placed(Scope at, AttentionConfig c) : place(at.columns(coordinates)), attention(at, complete(c, place)) {}
  static AttentionConfig complete(AttentionConfig c, heed::Columns<> place) {
    if (c.position.kind == Kind::distance) c.position = heed::distance(place, place);
    return c;
  }
  void forward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Write<S> y, heed::ActivationsView<S> a) const {
    a[place] = x.topRows(coordinates);
    attention.forward(p, x, y, a);
  }
  void extend(heed::ParametersView<const S> p, heed::Read<S> x, heed::Write<S> y, heed::MemoryView<S> m,
              heed::ActivationsView<S> a) const {
    a[place] = x.topRows(coordinates);
    attention.extend(p, x, y, m, a);
  }
  void backward(heed::ParametersView<const S> p, heed::Read<S> x, heed::Read<S> dy, heed::ActivationsView<S> a,
                heed::ParametersView<S> g, heed::Gradient<S> dx) const {
    a.d(place).setZero();
    attention.backward(p, x, dy, a, g, dx);
    if (dx.wanted()) dx.part(0, coordinates, 0, x.cols()).put(0, a.d(place));
  }
};

template <class S, int D = Dynamic>
auto placed(AttentionConfig c, const NamedMask& mask, const Position& position) {
  c.mask = mask.mask, c.position = position;
  return Rig<S, Placed<S, D>>({c.dim}, c.dim, [=](Subject<S>& s) { return Placed<S, D>(s.at(), c); });
}

/// One number of the rows of a head, as the docstrings of the positions say.
template <class T>
Table<T> turned(const Table<T>& x, Index heads, const Position& position, const std::vector<Index>& at) {
  Table<T> y = x;
  const Index e = x.rows / heads;
  for (Index j = 0; j < x.cols; ++j)
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < e / 2; ++i) {
        const long double angle = (long double)at[std::size_t(j)] * std::pow((long double)position.base, -2.0L * i / e);
        const Index one = h * e + (position.interleaved ? 2 * i : i),
                    two = position.interleaved ? one + 1 : one + e / 2;
        const T c(std::cos(angle)), s(std::sin(angle));
        y(one, j) = c * x(one, j) - s * x(two, j);
        y(two, j) = s * x(one, j) + c * x(two, j);
      }
  return y;
}
template <class T>
Table<T> normalised(const Table<T>& x, Index heads, T gain) {
  using std::sqrt;
  Table<T> y = x;
  const Index e = x.rows / heads;
  for (Index j = 0; j < x.cols; ++j)
    for (Index h = 0; h < heads; ++h) {
      T square(1e-6L);
      for (Index i = h * e; i < (h + 1) * e; ++i) square += x(i, j) * x(i, j);
      for (Index i = h * e; i < (h + 1) * e; ++i) y(i, j) = gain * x(i, j) / sqrt(square);
    }
  return y;
}
std::vector<Index> places_in(const Lengths& lengths) {
  std::vector<Index> all;
  for (Index n : lengths)
    for (Index t = 0; t < n; ++t) all.push_back(t);
  return all;
}

/// Attention as its docstrings say, in plain loops: queries of one sequence after the other against their keys.
template <class T>
struct Plain {
  const Values<T>& values;
  const heed::DotProductAttention<double>& layer;
  const NamedMask& mask;
  Table<T> q, k, v, query_place, key_place;
  Lengths queries, keys;

  Index size() const { return layer.config.dim / layer.config.heads; }
  Index key_head(Index h) const { return h / (layer.config.heads / layer.config.key_heads); }

  T relative(Index h, Index query, Index key, Index steps) const {
    const Index d = layer.config.dim;
    T sum(0);
    for (Index r = 0; r < size(); ++r) {
      T w(0);  // (W r)_row
      const Index row = h * size() + r;
      for (Index i = 0; i < d; ++i) {
        const long double angle = (long double)steps * std::pow(10000.0L, -(long double)(i - i % 2) / d);
        w += values(layer.terms.pos_proj.weight, row, i) * T(i % 2 ? std::cos(angle) : std::sin(angle));
      }
      sum += (q(row, query) + values(layer.terms.v, row)) * w + values(layer.terms.u, row) * k(row, key);
    }
    return sum;
  }
  T score(Index h, Index query, Index key, Index steps) const {
    using std::sqrt;
    const auto& c = layer.config;
    T sum(0);
    for (Index r = 0; r < size(); ++r) sum += q(h * size() + r, query) * k(key_head(h) * size() + r, key);
    if (c.position.kind == Kind::relative) sum += relative(h, query, key, steps);
    if (!c.normalise) sum = sum / T(std::sqrt((long double)size()));
    if (c.position.kind == Kind::alibi)
      sum += T(-std::pow(2.0L, -8.0L * (h + 1) / c.heads) * (long double)std::abs(steps));
    if (c.position.kind == Kind::distance) {
      T square(0);
      for (Index r = 0; r < coordinates; ++r) {
        const T d = query_place(r, query) - key_place(r, key);
        square += d * d;
      }
      if (number(square) > 0) sum += T(-1) * values(layer.terms.slope, h) * sqrt(square);
    }
    return sum;
  }
  T memory_score(Index h, Index query, Index token) const {
    T sum(0);
    for (Index r = 0; r < size(); ++r)
      sum += q(h * size() + r, query) * values(layer.memory_keys, token, key_head(h) * size() + r);
    return layer.config.normalise ? sum : sum / T(std::sqrt((long double)size()));
  }

  Table<T> answer() {
    const auto& c = layer.config;
    if (c.normalise) q = normalised(q, c.heads, values(layer.scale, 0)), k = normalised(k, c.key_heads, T(1));
    if (c.position.kind == Kind::rotary) {
      q = turned(q, c.heads, c.position, places_in(queries));
      k = turned(k, c.key_heads, c.position, places_in(keys));
    }
    Table<T> y(c.value_dim, q.cols);
    const Index ev = c.value_dim / c.heads, memory = layer.config.memory_tokens;
    Index q0 = 0, k0 = 0;
    for (std::size_t s = 0; s < queries.size(); q0 += queries[s], k0 += keys[s], ++s)
      for (Index h = 0; h < c.heads; ++h)
        for (Index j = 0; j < queries[s]; ++j) {
          std::vector<T> w;
          for (Index i = 0; i < keys[s]; ++i) w.push_back(score(h, q0 + j, k0 + i, j - i));
          for (Index i = 0; i < memory; ++i) w.push_back(memory_score(h, q0 + j, i));
          if (c.sink) w.push_back(T(0));
          w = plain_softmax(w, [&](Index i) { return i >= keys[s] || mask.sees(j, i); });
          for (Index r = 0; r < ev; ++r) {
            const Index row = key_head(h) * ev + r;
            for (Index i = 0; i < keys[s]; ++i) y(h * ev + r, q0 + j) += w[std::size_t(i)] * v(row, k0 + i);
            for (Index i = 0; i < memory; ++i)
              y(h * ev + r, q0 + j) += w[std::size_t(keys[s] + i)] * values(layer.memory_values, i, row);
          }
        }
    return y;
  }
};

auto formula(const auto& subject, const auto& double_layer, const NamedMask& mask) {
  return [&subject, &double_layer, mask]<class T>(const Values<T>& values) {
    const auto& layer = subject.layer.attention;
    const auto& w = layer.widths;
    const Table<T> qkv = plain_linear(values, layer.in_proj, values.x[0]);
    const Table<T> place = rows_of(values.x[0], 0, coordinates);
    Plain<T> plain{values,
                   double_layer,
                   mask,
                   rows_of(qkv, 0, w.queries),
                   rows_of(qkv, w.queries, w.keys),
                   rows_of(qkv, w.queries + w.keys, w.values),
                   place,
                   place,
                   subject.time_lengths,
                   subject.time_lengths};
    return plain_linear(values, layer.out_proj, plain.answer());
  };
}

template <class F>
void each_combination(F f) {
  for (const NamedMask& mask : all_masks())
    for (const NamedPosition& at : positions())
      for (const NamedSetting& setting : settings()) {
        if (at.position.kind == Kind::relative && setting.config.key_heads > 0) continue;  // refused
        INFO(mask.name << " " << mask.back + 1 << ", " << at.name << ", " << setting.name);
        f(mask, at.position, setting.config);
      }
}

}  // namespace

TEST_CASE("attention, all settings: the formula in double and float, fixed and dynamic") {
  each_combination([](const NamedMask& mask, const Position& at, const AttentionConfig& c) {
    auto s = placed<double>(c, mask, at);
    auto fixed = placed<double, 8>(c, mask, at);
    s.begin({0, 1, 3, 7});
    fixed.begin({0, 1, 3, 7});
    check_formula(s, formula(s, s.layer.attention.attention, mask));
    check_same(s, fixed);
    auto f = placed<float>(c, mask, at);
    f.begin({0, 1, 9});
    check_formula(f, formula(f, s.layer.attention.attention, mask));
  });
}

TEST_CASE("attention, all settings: gradients") {
  each_combination([](const NamedMask& mask, const Position& at, const AttentionConfig& c) {
    auto s = placed<double>(c, mask, at);
    s.begin({0, 1, 5});
    check_gradients(s);
    check_targets(s);
  });
}

TEST_CASE("attention, all settings: over several tiles of queries and keys") {
  for (const NamedMask& mask : {full(), causal(), window(40), strided(3), strided(40)})
    for (const NamedPosition& at : positions()) {
      INFO(mask.name << " " << mask.back + 1 << ", " << at.name);
      auto s = placed<double>({.dim = 4, .heads = 2, .memory_tokens = 1}, mask, at.position);
      s.begin({1, 140});
      check_formula(s, formula(s, s.layer.attention.attention, mask));
      s.begin({70});
      check_gradients(s);
    }
}

TEST_CASE("attention, all settings: wide heads go on from what was seen") {
  for (const NamedMask& mask : {causal(), strided(3)})
    for (const Position& at : {Position{}, heed::alibi()})
      for (const auto& [dim, value_dim] : {std::pair<Index, Index>{390, 390}, {390, 6}, {6, 390}}) {
        INFO(mask.name << ", width " << dim << ", values of " << value_dim);
        auto s = placed<double>({.dim = dim, .value_dim = value_dim, .heads = 3, .memory_tokens = 1, .sink = true},
                                mask, at);
        s.begin({0, 5, 40});
        check_formula(s, formula(s, s.layer.attention.attention, mask));
      }
}

TEST_CASE("attention, all settings: nothing leaks") {
  each_combination([](const NamedMask& mask, const Position& at, const AttentionConfig& c) {
    auto s = placed<float>(c, mask, at);
    s.begin({0, 1, 4, 2});
    check_sight(s, mask);
  });
}

TEST_CASE("attention, all settings: extend equals forward") {
  each_combination([](const NamedMask& mask, const Position& at, const AttentionConfig& c) {
    auto s = placed<double>(c, mask, at);
    check_extend(s, {.columns = 40, .chunk = 5}, 5, 20);
  });
}

TEST_CASE("attention, all settings: a memory that has forgotten its oldest tokens") {
  constexpr Index remembered = 6;
  each_combination([](const NamedMask& mask, const Position& at, const AttentionConfig& c) {
    auto ring = placed<double>(c, mask, at), whole = placed<double>(c, within(mask, remembered), at);
    whole.p.flat = ring.p.flat;
    Lanes<double> lanes(ring, whole, 2, {.columns = remembered, .ring = true, .chunk = 3});
    for (int i = 0; i < 12; ++i) lanes.step({1, i % 4}, {});
  });
}

TEST_CASE("attention, settings that cannot be") {
  const auto make = [](AttentionConfig c) {
    heed::Layout layout;
    const Axis time = layout.axis(), source = layout.axis();
    heed::DotProductAttention<float>(Scope(layout, time), source, c);
  };
  make({.dim = 8, .heads = 2, .position = heed::rotary()});
  check_complaint("rotary positions need heads of an even size, but it is 3",
                  [&] { make({.dim = 6, .heads = 2, .position = heed::rotary()}); });
  check_complaint("rotary base -1 must be positive",
                  [&] { make({.dim = 8, .heads = 2, .position = heed::rotary(false, -1)}); });
  check_complaint("heads 4 is not a multiple of key heads 3", [&] { make({.dim = 8, .heads = 4, .key_heads = 3}); });
  check_complaint("heads 4 is not a multiple of key heads 8", [&] { make({.dim = 8, .heads = 4, .key_heads = 8}); });
  check_complaint("heads 4 is not a multiple of key heads -1", [&] { make({.dim = 8, .heads = 4, .key_heads = -1}); });
  check_complaint("relative positions need as many key heads as heads, but there are 1 and 4",
                  [&] { make({.dim = 8, .heads = 4, .key_heads = 1, .position = heed::relative()}); });
  check_complaint("-2 memory tokens", [&] { make({.dim = 8, .memory_tokens = -2}); });
  check_complaint("dim 0 and value dim 0 must be multiples of heads 1", [&] { make({}); });
  check_complaint("Strided: stride 0 must be at least 1", [] { heed::Strided(0); });
}

TEST_CASE("attention by distance: places along other axes, or of other sizes") {
  heed::Layout layout;
  const Axis time = layout.axis(), source = layout.axis();
  const Scope at(layout, time);
  const heed::Columns<> here = at.columns(2), there = at.along(source).columns(2), more = at.along(source).columns(3);
  const auto make = [&](heed::Columns<> query_place, heed::Columns<> key_place) {
    heed::DotProductAttention<float>(at / "layer", source,
                                     {.dim = 4, .position = heed::distance(query_place, key_place)});
  };
  make(here, there);
  const char* said = "DotProductAttention: the places of queries and keys have";
  check_complaint(said, [&] { make(here, here); });
  check_complaint(said, [&] { make(there, there); });
  check_complaint(said, [&] { make(here, more); });
  check_complaint(said, [&] { make({}, there); });
}

TEST_CASE("attention over entities of a time step needs no memory, and cannot be extended") {
  heed::Layout layout;
  const Axis time = layout.axis(), entities = layout.axis(time);
  const heed::MultiHeadAttention<double> layer(Scope(layout, entities), 4, 2);
  CHECK(layout[entities].remembered == 0);
  heed::Memory<double> m(layout, 1);  // without any capacity
  const Parameters<double> p(layout, 1);
  heed::Activations<double> a(layout);
  a.begin(time, {2});
  a.begin(entities, {3, 1});
  const Tokens<double> x = random<double>(4, 4, 1);
  Tokens<double> y(4, 4);
  layer.forward(p, x, y, a);
  check_complaint("DotProductAttention: it was made without memory and cannot be extended",
                  [&] { layer.extend(p, x, y, m, a); });
}
