// Calibration sequences on their way through a model, layer by layer: what the compression pass and the pruners'
// signals are gathered from. Held at a time are the activations at one layer's input. Internal to core/train.
#pragma once

#include <cstdint>
#include <vector>

#include "train/libtorch.h"
#include "train/sequences.h"

namespace retort::train {

/// B sequences, padded to T tokens.
struct CalibrationBatch {
  torch::Tensor ids;      ///< [B,T] int64
  torch::Tensor lengths;  ///< [B] int64, tokens of each
  torch::Tensor index;    ///< [N] int64: b·T + t of the positions that count
  torch::Tensor state;    ///< [B,T,D] the input of the layer at hand; undefined at first
};

/// The sequences in order, in batches of at most 4,096 positions, which bounds what a layer's inside takes. The first
/// `rows` positions count; sequences behind them are left out.
std::vector<CalibrationBatch> calibration_batches(const std::vector<Sequence>& sequences, std::int64_t rows);

}  // namespace retort::train
