// Activation checkpointing (Chen et al., arXiv 1604.06174): what a part of a model computes on its way is not kept for
// the backward pass but computed again then. Internal to core/train.
#pragma once

#include <functional>
#include <vector>

#include "train/libtorch.h"

namespace retort::train {

using LayerPass = std::function<torch::Tensor(const torch::Tensor& x)>;

/// first(x), of which only x is kept. `again` gives the same bits, with `weights` in it as they are now; gradients flow
/// to x and `weights`. Runs `again` in the precision in which it was called, on the thread of the backward pass.
torch::Tensor recomputed(const torch::Tensor& x, const std::vector<torch::Tensor>& weights, const LayerPass& first,
                         LayerPass again);

}  // namespace retort::train
