#pragma once
#include "heed/layers/convolution.hpp"

namespace heed {

/// Patches of an image as tokens: a linear map of each (Dosovitskiy et al. 2021, sec. 3.1).
///
///   y_t = W patch_t + b
///
///   x: in x (images H W), a column a pixel, row by row, along the axis of its scope    y: dim x (images patches), along
///   `tokens()`, row by row    W, b ("proj"): as a Convolution's whose stride is its kernel, the patch
template <class S>
class PatchEmbedding {
 public:
  struct Config {
    Index in = 1, dim = 0;  ///< channels, and rows of a token
    Grid image, patch;      ///< rows and columns of the image and of a patch
  };
  Convolution<S> proj;

  PatchEmbedding(Scope at, Config c)
      : proj(at / "proj", {.in = c.in, .out = c.dim, .image = c.image, .kernel = checked(c), .stride = c.patch}) {}

  /// The axis of the tokens, and how many rows and columns of them an image has.
  Axis tokens() const { return proj.cells; }
  /// Rows and columns of patches.
  Grid grid() const { return {proj.rows(), proj.cols()}; }

  /// As Convolution's: a y along the tokens is there only after.
  void begin(ActivationsView<S> a) const { proj.begin(a); }

  void forward(ParametersView<const S> p, Read<S> x, Write<S> y, ActivationsView<S> a) const {
    proj.forward(p, x, y, a);
  }
  void backward(ParametersView<const S> p, Read<S> x, Read<S> dy, ActivationsView<S> a, ParametersView<S> g,
                Gradient<S> dx) const {
    proj.backward(p, x, dy, a, g, dx);
  }

  Node graph(Graph& g, const Node& x) const { return proj.graph(g, x); }

 private:
  static Grid checked(const Config& c) {
    detail::expect_at_least("PatchEmbedding", "patch", c.patch, 1);
    if (c.image.rows % c.patch.rows != 0 || c.image.cols % c.patch.cols != 0)
      detail::fail("PatchEmbedding: image %ld x %ld is not divided by patches of %ld x %ld", long(c.image.rows),
                   long(c.image.cols), long(c.patch.rows), long(c.patch.cols));
    return c.patch;
  }
};

}  // namespace heed
