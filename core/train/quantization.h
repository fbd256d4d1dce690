// Post-training quantisation: every linear weight through a quantizer plugin, written as a compressed-tensors folder.
// No LibTorch in this header.
#pragma once

#include <filesystem>
#include <optional>

#include "train/fine_tuning.h"
#include "train/plugin_handle.h"

namespace retort::train {

struct QuantizationJob {
  std::filesystem::path model;
  std::optional<std::filesystem::path> dataset;  ///< calibration, where the quantizer asks for it
  QuantizerPlugin quantizer;
  bool embedding = true;  ///< quantise the embedding (with the head that it is tied to) as well
  bool head = true;       ///< quantise a separate head
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::filesystem::path output;
};

/// Metrics: "weight_error", the relative root mean square error over all quantised weights. Throws
/// std::invalid_argument for a scheme that the folder format does not hold (other than symmetric 8 bits per channel).
ModelSize quantize(const QuantizationJob& job, const RunHooks& hooks);

}  // namespace retort::train
