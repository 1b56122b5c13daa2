#pragma once

#include <torch/torch.h>

// LibTorch's logging takes the name of Catch2's macro.
#undef CHECK

#include "../catch.hpp"
