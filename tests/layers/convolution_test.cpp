#include "heed/layers/convolution.hpp"

#include "../support.hpp"

using namespace support;
using heed::Convolution, heed::Grid;

namespace {

template <class S>
using Config = typename Convolution<S>::Config;

/// y lies along the layer's own axis, for which time, with as many columns, stands in.
template <class S>
struct Images : Rig<S, Convolution<S>> {
  explicit Images(Config<S> c)
      : Rig<S, Convolution<S>>({c.in}, c.out, [c](Subject<S>& s) {
          s.axes = {s.source};
          return Convolution<S>(s.at().along(s.source), c);
        }) {}

  /// A batch of images, of which some are missing.
  void begin_images(const std::vector<bool>& there) {
    Lengths outputs, pixels;
    for (const bool image : there) {
      outputs.push_back(image ? this->layer.rows() * this->layer.cols() : 0);
      pixels.push_back(image ? this->layer.config.image.cells() : 0);
    }
    this->begin(outputs, pixels);
  }
};

/// Kernels of one pixel and of all, with and without gaps, overlap, padding, bias and pixels that are left over.
template <class S>
std::vector<Config<S>> configs() {
  return {{.in = 3, .out = 2, .image = {3, 4}, .kernel = {2, 3}},
          {.in = 1, .out = 3, .image = {5, 5}, .kernel = {3}, .stride = {2}, .padding = {1}},
          {.in = 2, .out = 1, .image = {6, 5}, .kernel = {2, 3}, .stride = {3, 2}, .padding = {0, 2}, .bias = false},
          {.in = 2, .out = 2, .image = {2, 3}, .kernel = {1}},
          {.in = 2, .out = 2, .image = {2, 3}, .kernel = {2, 3}},
          {.in = 2, .out = 2, .image = {1, 1}, .kernel = {3}, .padding = {1}},
          {.in = 1, .out = 2, .image = {4, 6}, .kernel = {1, 2}, .stride = {3, 4}},
          {.in = 1, .out = 1, .image = {2, 2}, .kernel = {1}, .padding = {2}}};
}

auto formula(const auto& subject) {
  return [&subject](const auto& values) {
    const auto& layer = subject.layer;
    const auto& c = layer.config;
    auto y = rows_of(values.x[0], 0, 0);
    y = decltype(y)(c.out, subject.y.cols());
    for (Index j = 0; j < y.cols; ++j) {
      const Index image = j / (layer.rows() * layer.cols()), cell = j % (layer.rows() * layer.cols());
      const Index r = cell / layer.cols() * c.stride.rows - c.padding.rows;
      const Index k = cell % layer.cols() * c.stride.cols - c.padding.cols;
      for (Index o = 0; o < c.out; ++o) {
        if (c.bias) y(o, j) = values(layer.linear.bias, o);
        for (Index i = 0; i < c.in; ++i)
          for (Index u = 0; u < c.kernel.rows; ++u)
            for (Index v = 0; v < c.kernel.cols; ++v)
              if (r + u >= 0 && r + u < c.image.rows && k + v >= 0 && k + v < c.image.cols)
                y(o, j) += values(layer.linear.weight, o, (i * c.kernel.rows + u) * c.kernel.cols + v) *
                           values.x[0](i, (image * c.image.rows + r + u) * c.image.cols + k + v);
      }
    }
    return y;
  };
}

}  // namespace

TEST_CASE("Convolution is a sum over channels and kernel") {
  for (const auto& c : configs<double>()) {
    Images<double> s(c);
    s.begin_images({false, true, true, false, true});
    check_formula(s, formula(s));
    s.begin_images({true});  // a smaller batch
    check_formula(s, formula(s));
    s.begin_images({false, false});
    check_formula(s, formula(s));
  }
  for (const auto& c : configs<float>()) {
    Images<float> s(c);
    s.begin_images({true, false, true});
    check_formula(s, formula(s));
  }
}

TEST_CASE("Convolution: gradients") {
  for (const auto& c : configs<double>()) {
    INFO(c.image.rows << " x " << c.image.cols << " by " << c.kernel.rows << " x " << c.kernel.cols);
    Images<double> s(c);
    s.begin_images({true, false, true});
    check_gradients(s);
    check_targets(s);
    s.x[0].setZero();
    check_gradients(s);
    s.x[0].setOnes();
    check_gradients(s);
    s.begin_images({true});
    s.x[0] = saturated<double>(c.in, c.image.cells(), 1);
    check_slopes(s, formula(s), 1e4);
  }
}

TEST_CASE("Convolution: how many rows and columns come out") {
  const auto size = [](Grid image, Grid kernel, Grid stride, Grid padding) {
    heed::Layout layout;
    const Convolution<float> layer(Scope(layout, layout.axis()),
                                   {.image = image, .kernel = kernel, .stride = stride, .padding = padding});
    return Grid{layer.rows(), layer.cols()};
  };
  CHECK(size({84, 84}, {8}, {4}, {0}) == Grid{20});
  CHECK(size({20, 20}, {4}, {2}, {0}) == Grid{9});
  CHECK(size({9, 9}, {3}, {1}, {0}) == Grid{7});
  CHECK(size({7, 10}, {3}, {2}, {1}) == Grid{4, 5});
  CHECK(size({2, 3}, {5, 3}, {1, 9}, {2, 0}) == Grid{2, 1});
}

TEST_CASE("Convolution: images of time steps, one convolution after the other") {
  heed::Layout layout;
  const heed::Axis time = layout.axis(), pixels = layout.axis(time);
  const Scope at(layout, pixels);
  const Convolution<double> one(at / 0, {.in = 1, .out = 2, .image = {4, 4}, .kernel = {2}, .stride = {2}});
  const Convolution<double> two((at / 1).along(one.cells), {.in = 2, .out = 3, .image = {2, 2}, .kernel = {2}});
  const heed::Columns<> y1 = at.along(one.cells).columns(2), y2 = at.along(two.cells).columns(3);
  CHECK(layout[one.cells].parent == time);
  CHECK(layout[two.cells].parent == time);
  const Parameters<double> p(layout, 1);
  heed::Activations<double> a(layout);
  const auto run = [&](std::initializer_list<Index> steps, const std::vector<Index>& images, const Tokens<double>& x) {
    a.begin(time, steps);
    a.begin(pixels, Index(images.size()), [&](Index i) { return 16 * images[std::size_t(i)]; });
    one.begin(a);
    one.forward(p, x, a[y1], a);
    two.begin(a);
    two.forward(p, a[y1], a[y2], a);
    return Tokens<double>(a[y2]);
  };
  const Tokens<double> x = random<double>(1, 48, 1);
  const Tokens<double> all = run({2, 0, 2}, {1, 0, 1, 1}, x);
  REQUIRE(all.cols() == 3);
  CHECK(a.sequences(two.cells).count() == 4);
  CHECK(a.sequences(two.cells).length(1) == 0);
  CHECK(a.sequences(two.cells).length(2) == 1);
  for (Index i = 0; i < 3; ++i) CHECK(distance(run({1}, {1}, x.middleCols(16 * i, 16)), all.col(i)) <= 1e-14);
}

TEST_CASE("Convolution: nothing leaks") {
  Images<float> s({.in = 2, .out = 2, .image = {3, 3}, .kernel = {2}, .padding = {1}});
  s.begin_images({true, false, true, true});
  s.forward();
  const Tokens<float> before = s.y;
  s.x[0].middleCols(9, 9).array() += 1;
  s.forward();
  for (Index j = 0; j < 48; ++j) CHECK(same_bits(s.y.col(j), before.col(j)) == (j < 16 || j >= 32));
}

TEST_CASE("Convolution has PyTorch's names and starts as PyTorch's does") {
  heed::Layout layout;
  const Scope at(layout, layout.axis(), "conv");
  const Convolution<double> layer(at, {.in = 3, .out = 40, .image = {9, 9}, .kernel = {5, 4}});
  const Convolution<double> plain(at / "plain", {.in = 1, .out = 1, .image = {9, 9}, .kernel = {1}, .bias = false});
  REQUIRE(layout.entries().size() == 3);
  CHECK(layout.entries()[0].name == "conv.weight");
  CHECK(layout.entries()[0].shape == heed::Shape{40, 3, 5, 4});
  CHECK(layout.entries()[1].name == "conv.bias");
  CHECK(layout.entries()[1].shape == heed::Shape{40});
  CHECK(layout.entries()[2].name == "conv.plain.weight");
  const Parameters<double> p(layout, 1);
  const double bound = 1 / std::sqrt(60.0), highest = p[layer.linear.weight].cwiseAbs().maxCoeff();
  CHECK(highest <= bound);
  CHECK(highest >= 0.99 * bound);
  CHECK(p[layer.linear.bias].cwiseAbs().maxCoeff() <= bound);
  CHECK(p[layer.linear.bias].cwiseAbs().maxCoeff() >= 0.8 * bound);
}

TEST_CASE("Convolution: wrong shapes, sizes and images") {
  Images<double> s({.in = 2, .out = 3, .image = {3, 4}, .kernel = {2}});
  s.begin_images({true, false, true});
  check_shapes(s, "Convolution", {"x"});
  s.begin({6, 6}, {12, 11});
  check_complaint("Convolution: sequence 1 has 11 pixels, but an image of 3 x 4 has 12", [&] { s.forward(); });
  CHECK((s.y.array() == -3).all());

  const auto make = [](Config<float> c) {
    heed::Layout layout;
    Convolution<float>(Scope(layout, layout.axis()), c);
  };
  check_complaint("Convolution: the kernel is 2 x 5, but the image 3 x 4 and its padding 1 x 0", [&] {
    make({.image = {3, 4}, .kernel = {2, 5}, .padding = {1, 0}});
  });
  check_complaint("Convolution: the kernel is 4 x 1, but the image 3 x 4", [&] {
    make({.image = {3, 4}, .kernel = {4, 1}});
  });
  check_complaint("Convolution: image 0 x 4, but at least 1 x 1 is needed", [&] {
    make({.image = {0, 4}, .kernel = {1}});
  });
  check_complaint("Convolution: kernel 1 x 0, but at least 1 x 1 is needed", [&] {
    make({.image = {3, 4}, .kernel = {1, 0}});
  });
  check_complaint("Convolution: stride 0 x 1, but at least 1 x 1 is needed", [&] {
    make({.image = {3, 4}, .kernel = {1}, .stride = {0, 1}});
  });
  check_complaint("Convolution: padding 0 x -1, but at least 0 x 0 is needed", [&] {
    make({.image = {3, 4}, .kernel = {1}, .padding = {0, -1}});
  });
  check_complaint("weight: size 1 of its shape is 0", [&] { make({.in = 0, .image = {3, 4}, .kernel = {1}}); });
}
