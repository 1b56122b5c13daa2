// What observations go through first: the same numbers as PyTorch.
#include <heed/layers/convolution.hpp>
#include <heed/layers/embedding.hpp>
#include <heed/layers/patch_embedding.hpp>

#include "parity.hpp"

using namespace parity;
using heed::Axis, heed::Grid, heed::Layout, heed::Scope;
namespace nn = torch::nn;

namespace {

/// Images as columns of pixels, [images H W, channels], as PyTorch's [images, channels, H, W]; and back.
Tensor channels_first(const Tensor& x, Index images, Grid size) {
  return x.reshape({images, size.rows, size.cols, x.size(1)}).permute({0, 3, 1, 2});
}
Tensor channels_last(const Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)}); }

/// A batch of images, of which some are missing: forward, backward and PyTorch's Conv2d.
template <class S, class Layer>
void compare_images(Comparison<S>& comparison, const Layout& layout, Axis pixels, const Layer& layer, const char* name,
                    nn::Conv2d conv, Grid image, Grid output) {
  Draw& draw = comparison.draw;
  Trial<S> trial(comparison, layout);
  nn::Module module;
  if (*name) module.register_module(name, conv);
  trial.load(*name ? module : *conv);

  const Index images = draw.between(1, 4), missing = draw.below(3);
  const Index in = conv->options.in_channels(), out = conv->options.out_channels();
  Sequences sequences;
  for (Index i = 0; i < images; ++i) sequences.append(image.cells());
  for (Index i = 0; i < missing; ++i) sequences.append(0);
  Variable<S> x(draw, in, images * image.cells());
  Tokens<S> y(out, images * output.cells());
  const auto dy = draw.tokens<S>(out, y.cols());
  trial.a.begin(pixels, sequences);
  layer.forward(trial.p, x.value, y, trial.a);
  layer.backward(trial.p, x.value, dy, trial.a, trial.g, x.gradient);
  trial.compare(y, dy, channels_last(conv(channels_first(x.tensor, images, image))), {{"x", &x}});
}

}  // namespace

TEMPLATE_TEST_CASE("Embedding", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("Embedding");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Index count = draw.between(1, 30), dim = draw.size<S>(40), columns = draw.between(1, 60);
    Layout layout;
    const heed::Embedding<S> layer(Scope(layout, layout.axis()), count, dim);
    Trial<S> trial(comparison, layout);
    nn::Embedding module(nn::EmbeddingOptions(count, dim));
    trial.load(*module);

    Tokens<S> x(1, columns), y(dim, columns);
    for (Index j = 0; j < columns; ++j) x(0, j) = S(draw.below(count));
    const auto dy = draw.tokens<S>(dim, columns);
    layer.forward(trial.p, x, y);
    layer.backward(x, dy, trial.g);
    trial.compare(y, dy, module(tensor(x).flatten().to(torch::kLong)), {});
  }
}

TEMPLATE_TEST_CASE("Convolution", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("Convolution");
  Draw& draw = comparison.draw;
  while (comparison.drawn < 2 * draws) {
    const Grid image = {draw.between(3, 12), draw.between(3, 12)}, padding = {draw.below(3), draw.below(3)};
    const Grid kernel = {draw.between(1, std::min(image.rows + 2 * padding.rows, Index(5))),
                         draw.between(1, std::min(image.cols + 2 * padding.cols, Index(5)))};
    const Grid stride = {draw.between(1, 4), draw.between(1, 4)};
    const Index in = draw.size<S>(9), out = draw.size<S>(20);
    const bool bias = draw.coin();
    Layout layout;
    const Axis pixels = layout.axis();
    const heed::Convolution<S> layer(
        Scope(layout, pixels),
        {.in = in, .out = out, .image = image, .kernel = kernel, .stride = stride, .padding = padding, .bias = bias});
    nn::Conv2d conv(nn::Conv2dOptions(in, out, {kernel.rows, kernel.cols})
                        .stride({stride.rows, stride.cols})
                        .padding({padding.rows, padding.cols})
                        .bias(bias));
    compare_images(comparison, layout, pixels, layer, "", conv, image, {layer.rows(), layer.cols()});
  }
}

TEMPLATE_TEST_CASE("PatchEmbedding", "", float, double) {
  using S = TestType;
  Comparison<S> comparison("PatchEmbedding");
  Draw& draw = comparison.draw;
  while (comparison.drawn < draws) {
    const Grid patch = {draw.between(1, 4), draw.between(1, 4)}, grid = {draw.between(1, 4), draw.between(1, 4)};
    const Grid image = {patch.rows * grid.rows, patch.cols * grid.cols};
    const Index in = draw.size<S>(9), dim = draw.size<S>(20);
    Layout layout;
    const Axis pixels = layout.axis();
    const heed::PatchEmbedding<S> layer(Scope(layout, pixels), {.in = in, .dim = dim, .image = image, .patch = patch});
    nn::Conv2d conv(nn::Conv2dOptions(in, dim, {patch.rows, patch.cols}).stride({patch.rows, patch.cols}));
    compare_images(comparison, layout, pixels, layer, "proj", conv, image, grid);
  }
}
