#pragma once
#include "heed/layers/stack.hpp"
#include "heed/layers/transformer_block.hpp"

namespace heed {

/// Transformer blocks one after the other (Vaswani et al. 2017, sec. 3.1), as torch.nn.TransformerEncoder.
///
///   TransformerEncoder<float>(at, {.layers = 6, .block = {.dim = 64, .heads = 4}, .norm = true})
template <class S, int D = Dynamic>
using TransformerEncoder = Stack<S, TransformerBlock<S, D>>;

}  // namespace heed
