// The loss of a preference plugin as a node of LibTorch's autograd graph, over host/algorithm/preference_call.h.
// Internal to core/train.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/algorithm/preference_call.h"
#include "train/decoder_module.h"
#include "train/libtorch.h"
#include "train/plugin_node.h"
#include "train/preference_data.h"
#include "train/processes.h"

namespace retort::train {

/// [r] Σ log π(token) of each response, at temperature 1. `precision`: as SignalOptions::precision, here and below.
torch::Tensor sequence_log_probs(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                 std::span<const std::size_t> rows, const std::string& precision);

/// Of every sequence, in batches of at most `batch_size` that the processes share, without gradients.
std::vector<float> all_sequence_log_probs(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                          std::size_t batch_size, const Processes& processes,
                                          const std::string& precision);

/// Σ weight·loss of these items divided by the step's weight; its derivative reaches the decoder. `reference`: a number
/// for every sequence, or empty. Metrics are divided likewise.
torch::Tensor preference_loss(const host::PreferenceCall& algorithm, DecoderModule& decoder, const PreferenceData& data,
                              std::span<const std::size_t> items, const std::vector<float>& reference,
                              const host::PreferenceStep& step, const std::string& precision, MetricMap& metrics);

/// Σ of the items' weights.
double weight_of(const PreferenceData& data, std::span<const std::size_t> items);

}  // namespace retort::train
