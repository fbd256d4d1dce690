// LoRA (Hu et al., arXiv 2106.09685): a frozen decoder learns by small factors beside its matrices. Options without
// LibTorch stand in low_rank_options.h. Internal to core/train.
#pragma once

#include <cstdint>

#include "train/decoder_module.h"
#include "train/low_rank_options.h"
#include "train/parameter_groups.h"

namespace retort::train {

/// Freezes every weight of `decoder` and puts W + alpha/rank·B·A in the place of the matrices that the options name:
/// A [rank,I] uniform in ±1/√I from `seed`, B [O,rank] zeros, so that it starts as it was. Returns the factors as the
/// group "lora", "WEIGHT.a" and "WEIGHT.b". Throws std::invalid_argument for a target that no layer has, and for none.
ParameterGroup add_low_rank(DecoderModule& decoder, const LowRankOptions& options, std::uint64_t seed);

}  // namespace retort::train
