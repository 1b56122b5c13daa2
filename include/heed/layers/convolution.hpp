#pragma once
#include "heed/core/graph.hpp"
#include "heed/core/grid.hpp"
#include "heed/layers/linear.hpp"

namespace heed {

/// Convolution of images, as torch.nn.Conv2d (LeCun et al. 1989).
///
///   y_(o, r, c) = b_o + sum over i, u, v of W_(o, i, u, v) x_(i, stride r + u - padding, stride c + v - padding)
///
///   x: in x (images H W), a column a pixel, row by row, along the axis of its scope: each sequence is one image, or none
///   y: out x (images H' W'), along `cells`, in the same order    H' = (H + 2 padding - kernel) / stride + 1, rounded down
///   W ("weight"): out x in x kernel    b ("bias", optional): out    both uniform in +-1 / sqrt(in kernel)
///
/// Outside of the image x is zero. Computed as one product, with each cell's part of the image as a column.
template <class S>
class Convolution {
 public:
  struct Config {
    Index in = 1, out = 1;             ///< channels
    Grid image, kernel;                ///< rows and columns of the image and of the kernel
    Grid stride = {1}, padding = {0};  ///< steps of the kernel, and rows and columns of zeros around the image
    bool bias = true;                  ///< whether one is added
  };
  Config config;  ///< as it was told
  Axis pixels, cells;
  Linear<S> linear;
  Columns<> patches;  ///< what each cell sees of its image: in x kernel numbers, the channel slowest; along the cells

  Convolution(Scope at, Config c)
      : config(checked(c)),
        pixels(at.axis()),
        cells(at.sibling_axis()),
        linear(weights(at, c)),
        patches(at.along(cells).columns(linear.in())) {}

  /// Of cells.
  Index rows() const { return outputs(config.image.rows, config.kernel.rows, config.stride.rows, config.padding.rows); }
  /// Of cells.
  Index cols() const { return outputs(config.image.cols, config.kernel.cols, config.stride.cols, config.padding.cols); }

  /// Says how many cells the images of this batch have. Forward does so, too, but a y along the cells is there only after.
  void begin(ActivationsView<S> a) const {
    const SequencesView images = a.sequences(pixels);
    const Index all = rows() * cols();
    for (Index i = 0; i < images.count(); ++i)
      if (images.length(i) != 0 && images.length(i) != config.image.cells()) [[unlikely]]
        detail::fail("Convolution: sequence %ld has %ld pixels, but an image of %ld x %ld has %ld", long(i),
                     long(images.length(i)), long(config.image.rows), long(config.image.cols),
                     long(config.image.cells()));
    a.begin(cells, images.count(), [&](Index i) { return images.length(i) == 0 ? 0 : all; });
  }

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    begin(a);
    check(x, "y", y, a);
    auto seen = a[patches];
    if (config.padding != Grid{0}) seen.setZero();
    each_pixel(seen.cols(), [&](Index cell, Index row, Index pixel) {
      for (Index i = 0; i < x.rows(); ++i) seen(row + i * config.kernel.cells(), cell) = x(i, pixel);
    });
    linear.forward(p, seen, y);
  }

  // The derivatives of Linear; dx is the sum of those of all the patches that a pixel is in.
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    check(x, "dy", dy, a);
    detail::expect_gradient("Convolution", "dx", dx, config.in, x.cols());
    if (!dx.wanted()) return linear.backward(p, a[patches], dy, g, no_gradient);
    const auto dseen = a.d(patches);
    linear.backward(p, a[patches], dy, g, a.d(patches));
    dx.start();
    each_pixel(dseen.cols(), [&](Index cell, Index row, Index pixel) {
      for (Index i = 0; i < dx.rows(); ++i) dx(i, pixel) += dseen(row + i * config.kernel.cells(), cell);
    });
  }

  Node graph(Graph& g, const Node& x) const {
    const Node images = g.reshape(g.transposed(x), {-1, config.in, config.image.rows, config.image.cols});
    const Node kernel =
        g.reshape(g.weight(linear.weight), {config.out, config.in, config.kernel.rows, config.kernel.cols});
    const Grid stride = config.stride, padding = config.padding;
    using Sizes = std::vector<std::int64_t>;
    std::vector<Node> from{images, kernel};
    if (linear.bias) from.push_back(g.weight(linear.bias));
    const Node seen = g.op("Conv", from, 0,
                           {{"strides", Sizes{stride.rows, stride.cols}},
                            {"pads", Sizes{padding.rows, padding.cols, padding.rows, padding.cols}}});
    const Node leading = g.op("Shape", {x}, 1, {{"start", std::int64_t(0)}, {"end", std::int64_t(-2)}}, 1);
    const Node dims = g.concat({leading, g.constant(Sizes{config.out, rows() * cols()})}, 0, 1);
    return g.transposed(g.op("Reshape", {seen, dims}, 0, {}, x.rank), config.out);
  }

 private:
  /// Calls f(cell, row, pixel) for every pixel of a patch: `row` is where the patch holds its first channel.
  template <class F>
  void each_pixel(Index cell_count, F f) const {
    const Grid image = config.image, kernel = config.kernel, stride = config.stride, padding = config.padding;
    const Grid output = {rows(), cols()};
    Index cell = 0;
    for (Index first = 0; cell < cell_count; first += image.cells())
      for (Index r = 0; r < output.rows; ++r)
        for (Index c = 0; c < output.cols; ++c, ++cell)
          for (Index u = 0; u < kernel.rows; ++u) {
            const Index row = r * stride.rows + u - padding.rows;
            if (row < 0 || row >= image.rows) continue;
            for (Index v = 0; v < kernel.cols; ++v) {
              const Index col = c * stride.cols + v - padding.cols;
              if (col >= 0 && col < image.cols) f(cell, u * kernel.cols + v, first + row * image.cols + col);
            }
          }
  }
  template <class Y>
  void check(const Read<S>& x, const char* what, const Y& y, ActivationsView<S> a) const {
    const Index images = a.columns(pixels) / config.image.cells();
    detail::expect_shape("Convolution", "x", x, config.in, a.columns(pixels));
    detail::expect_shape("Convolution", what, y, config.out, images * rows() * cols());
  }
  static Linear<S> weights(Scope at, const Config& c) {
    const LinearInit init = LinearInit::pytorch(c.in * c.kernel.cells());
    const auto weight = at.weight<Dynamic, Dynamic>("weight", {c.out, c.in, c.kernel.rows, c.kernel.cols}, init.weight);
    return {weight, c.bias ? at.weight<Dynamic>("bias", {c.out}, init.bias) : Weight<Dynamic, 1>()};
  }
  static Config checked(Config c) {
    const auto fits = [](Index image, Index kernel, Index padding) { return kernel <= image + 2 * padding; };
    detail::expect_at_least("Convolution", "image", c.image, 1);
    detail::expect_at_least("Convolution", "kernel", c.kernel, 1);
    detail::expect_at_least("Convolution", "stride", c.stride, 1);
    detail::expect_at_least("Convolution", "padding", c.padding, 0);
    if (!fits(c.image.rows, c.kernel.rows, c.padding.rows) || !fits(c.image.cols, c.kernel.cols, c.padding.cols))
      detail::fail("Convolution: the kernel is %ld x %ld, but the image %ld x %ld and its padding %ld x %ld",
                   long(c.kernel.rows), long(c.kernel.cols), long(c.image.rows), long(c.image.cols),
                   long(c.padding.rows), long(c.padding.cols));
    return c;
  }
  static Index outputs(Index image, Index kernel, Index stride, Index padding) {
    return (image + 2 * padding - kernel) / stride + 1;
  }
};

}  // namespace heed
