// What pruners want to know about a model's activations on real data; quantizers and sparsifiers have
// compression_pass.h. Internal to core/train.
#pragma once

#include <vector>

#include "train/calibration_batches.h"
#include "train/decoder_module.h"
#include "train/libtorch.h"
#include "train/sequences.h"

namespace retort::train {

/// The signals of retort/abi/pruner.h; those that were not asked for are undefined.
struct PruneSignalTensors {
  torch::Tensor hidden_norms, feed_forward_norms, head_norms, block_influence, block_similarity, token_counts;
};

/// Minitron's activation norms (arXiv 2407.14679, section 2.2): sqrt(Σ_samples (mean_positions |a|)²) per channel.
/// a [B,T,C], lengths [B] → [C], the sum of squares before the root, so that batches add up.
torch::Tensor squared_mean_absolute(const torch::Tensor& activation, const torch::Tensor& lengths);

/// All sequences go through one layer after the other, so that what is held at a time are the activations at one
/// layer's input; with block similarity those of all layers, for as many sequences at a time as take 256 MB.
PruneSignalTensors prune_signals(DecoderModule& decoder, const std::vector<Sequence>& sequences, std::uint64_t signals);

/// 2·Σ a aᵀ / S of what down_proj reads, layer by layer; the sequences go through the layers once where these are asked
/// for in ascending order.
class FeedForwardHessians {
 public:
  /// Both must outlive the object.
  FeedForwardHessians(DecoderModule& decoder, const std::vector<Sequence>& sequences)
      : decoder_(decoder), sequences_(sequences) {}
  torch::Tensor of(std::int64_t layer);  ///< [F,F] f32

 private:
  DecoderModule& decoder_;
  const std::vector<Sequence>& sequences_;
  std::vector<CalibrationBatch> batches_;
  std::int64_t at_ = 0;  ///< the layer whose input the batches hold
};

}  // namespace retort::train
