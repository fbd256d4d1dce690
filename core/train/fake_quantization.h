// Weights rounded to their codes in the forward pass and left alone in the backward pass: the straight-through
// estimator (Bengio et al., arXiv 1308.3432), with learned step sizes (LSQ, Esser et al., arXiv 1902.08153). Internal
// to core/train.
#pragma once

#include "train/folder_tensors.h"
#include "train/libtorch.h"

namespace retort::train {

/// Codes of one matrix [O,I] in Q groups a row: code = clamp(round(w / s) + z, lowest, highest), ŵ = s · (code − z).
struct CodeRange {
  torch::Tensor zero_points;  ///< [O,Q] f32, signed; undefined: 0
  double lowest = -8, highest = 7;
};

/// ŵ [O,I] of weight [O,I] and scales [O,Q], none of them 0. Gradients, with v = w/s and the upstream g:
///   dw = g where lowest < v + z < highest at its ends included, else 0
///   ds = 1/√(I/Q · highest) · Σ over the group of g · (round(v) − v inside, lowest − z below, highest − z above)
/// (LSQ, eq. 2, 3 and 5, with the gradient's scale of section 2.2).
torch::Tensor fake_quantized(const torch::Tensor& weight, const torch::Tensor& scales, const CodeRange& range);

/// The same codes as they are stored (folder_tensors.h); restored() is fake_quantized() to the bit.
Codes codes_of(const torch::Tensor& weight, const torch::Tensor& scales, const CodeRange& range);

}  // namespace retort::train
