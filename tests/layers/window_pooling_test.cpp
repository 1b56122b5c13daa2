#include "heed/layers/window_pooling.hpp"

#include "../support.hpp"

using namespace support;
using heed::Windows, heed::WindowPooling;

namespace {

/// Windows of at most 4 observations, embedded in 5 numbers.
template <class S>
struct Attending : Rig<S, WindowPooling<S>> {
  Attending(Index observation, Windows kind, Index window = 4, Index width = 5)
      : Rig<S, WindowPooling<S>>({observation}, width, [=](Subject<S>& s) {
          return WindowPooling<S>(s.at(), observation, window, width, kind);
        }) {
    if (kind == Windows::given) this->axes[0] = this->source = this->layer.windows;
  }
};

/// The embedded observations and their places, window by window, as the definition has them.
auto formula(const auto& subject) {
  return [&]<class T>(const Values<T>& values) {
    using std::tanh;
    const auto& layer = subject.layer;
    const Table<T> e = plain_linear(values, layer.embedding, values.x[0]);
    Table<T> y(e.rows, subject.y.cols());
    const auto pool = [&](Index first, Index n, Index column) {
      Table<T> tokens = rows_of(e, 0, e.rows);
      for (Index i = 0; i < n; ++i)
        for (Index r = 0; r < e.rows; ++r) tokens(r, first + i) += values(layer.positions, layer.window - n + i, r);
      const Table<T> u = plain_linear(values, layer.attention.alignment, tokens);
      std::vector<T> w(std::size_t(n), T(0));
      for (Index i = 0; i < n; ++i)
        for (Index r = 0; r < u.rows; ++r)
          w[std::size_t(i)] += values(layer.attention.context, r) * tanh(u(r, first + i));
      w = plain_softmax(w, [](Index) { return true; });
      for (Index i = 0; i < n; ++i)
        for (Index r = 0; r < e.rows; ++r) y(r, column) += w[std::size_t(i)] * tokens(r, first + i);
    };
    Index first = 0, column = 0;
    if (layer.kind == Windows::given)
      for (const Index n : subject.source_lengths) pool(first, n, column++), first += n;
    else
      for (const Index n : subject.time_lengths)
        for (Index t = 0; t < n; ++t, ++column) {
          const Index seen = std::min(t + 1, layer.window);
          pool(column + 1 - seen, seen, column);
        }
    return y;
  };
}

/// Narrower observations than their embeddings, as wide and wider; windows that overlap, and others.
template <class S, class F>
void each_form(F f) {
  for (const Index observation : {1, 3, 5, 6, 19})
    for (const Windows kind : {Windows::sliding, Windows::given}) {
      INFO("observations of " << observation << (kind == Windows::given ? ", given windows" : ""));
      Attending<S> s(observation, kind);
      if (kind == Windows::given)
        s.begin({4, 0, 3}, {4, 1, 0, 4, 3, 0, 2});
      else
        s.begin({3, 0, 1, 9, 2});
      f(s);
    }
}

}  // namespace

TEST_CASE("WindowPooling is additive pooling of embedded observations and their places") {
  each_form<double>([](auto& s) { check_formula(s, formula(s)); });
  each_form<float>([](auto& s) { check_formula(s, formula(s)); });
  for (const Index observation : {20, 70}) {
    Attending<float> s(observation, Windows::sliding, 9, 40), given(observation, Windows::given, 9, 40);
    s.begin({30, 1});
    check_formula(s, formula(s));
    given.begin({3}, {9, 9, 9});
    check_formula(given, formula(given));
  }
}

TEST_CASE("WindowPooling: gradients") {
  each_form<double>([](auto& s) {
    check_gradients(s);
    check_targets(s);
    s.x[0].setZero();
    check_gradients(s);
    s.x[0] = saturated<double>(s.x[0].rows(), s.x[0].cols(), 1);
    check_slopes(s, formula(s), 1e4);
  });
}

TEST_CASE("WindowPooling: an empty window answers zero, and has no gradient") {
  for (const Index observation : {3, 6}) {
    Attending<double> s(observation, Windows::given);
    s.begin({3}, {0, 4, 0});
    s.forward();
    CHECK((s.y.col(0).array() == 0).all());
    CHECK((s.y.col(1).array() != 0).all());
    CHECK((s.y.col(2).array() == 0).all());
    s.begin({2}, {0, 0});
    s.forward();
    CHECK((s.y.array() == 0).all());
    Parameters<double> g(s.layout);
    s.backward(random<double>(5, 2, 1), g);
    CHECK((g.flat.array() == 0).all());
  }
}

TEST_CASE("WindowPooling sees the last observations and no others") {
  for (const Index observation : {3, 6}) {
    Attending<double> s(observation, Windows::sliding);
    s.begin({3, 0, 1, 9});
    check_sight(s, {"window", heed::Window(4), 3, 0});
  }
}

TEST_CASE("WindowPooling: extending piece by piece equals the full pass") {
  for (const Index observation : {3, 5, 6})
    for (const Index window : {1, 4}) {
      Attending<double> s(observation, Windows::sliding, window);
      check_extend(s, {.chunk = 12});
    }
}

TEST_CASE("WindowPooling has the names, shapes and first values of its parts") {
  heed::Layout layout;
  const Axis time = layout.axis();
  const WindowPooling<double> layer(Scope(layout, time, "net"), 3, 4, 50);
  const auto& all = layout.entries();
  const auto is = [&](std::size_t i, const char* name, heed::Shape shape) {
    CHECK(all[i].name == name);
    CHECK(all[i].shape == shape);
  };
  REQUIRE(all.size() == 6);
  is(0, "net.embedding.weight", {50, 3});
  is(1, "net.embedding.bias", {50});
  is(2, "net.positions", {4, 50});
  is(3, "net.attention.attention.weight", {50, 50});
  is(4, "net.attention.attention.bias", {50});
  is(5, "net.attention.context_vector", {50});
  for (const heed::Entry& e : all) CHECK(e.use.trained == (e.name != "net.positions"));
  const Parameters<double> p(layout, 1);
  const Tokens<double> embedding = p[layer.embedding.weight];
  CHECK(distance(embedding.transpose() * embedding, 50.0 * Tokens<double>::Identity(3, 3)) <= 1e-12);
  CHECK(p[layer.embedding.bias].isZero(0));
  CHECK(p[layer.positions](3, 1) == Approx(std::cos(3.0)));
}

TEST_CASE("WindowPooling: wrong shapes and windows") {
  for (const Index observation : {3, 6}) {
    Attending<double> s(observation, Windows::sliding), given(observation, Windows::given);
    s.begin({2, 3});
    heed::Memory<double> m(s.layout, 2, {.chunk = 5});
    check_shapes(s, "WindowPooling", {"x"}, &m);
    given.begin({2}, {1, 4});
    check_shapes(given, "WindowPooling", {"x"});
    heed::Memory<double> none(given.layout, 1);
    check_complaint("WindowPooling: windows that are given cannot be extended", [&] { given.extend(none); });
    const std::string longer = "WindowPooling: window 1 has 5 tokens, but at most 4 fit";
    given.begin({2}, {1, 5});
    check_complaint(longer, [&] { given.forward(); });
    Parameters<double> g(given.layout);
    check_complaint(longer, [&] { given.backward(given.y, g); });
  }
  check_complaint("WindowPooling: window 0 must be at least 1", [] { Attending<double>(3, Windows::sliding, 0); });
}
