// SmoothQuant (arXiv 2211.10438, equation 4): the factor of every input channel of a site that moves the range of its
// input into its weights, s_j = max|x_j|^α / max|w_j|^(1−α). The input is divided by s, the weights' columns are
// multiplied by it: int8 codes of both then have less to cover.
#pragma once

#include <span>
#include <vector>

#include "shared_channels.h"

namespace retort::quantize {

/// `input` and `weight` [I]: the largest |x_j| of calibration, and |w_j| over the rows of all modules of the site.
/// Channels that share a factor take the largest of theirs; one that is 0 throughout in either has the factor 1. Throws
/// std::invalid_argument for a number that is negative or not finite, naming its column.
std::vector<float> smoothquant_factors(std::span<const float> input, std::span<const float> weight, double alpha,
                                       const SharedChannels& shared);

}  // namespace retort::quantize
