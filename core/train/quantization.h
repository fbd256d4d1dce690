// Post-training quantisation: every linear weight through a quantizer plugin, written as a compressed-tensors folder:
// int8 per channel, or int4 in groups with the embedding and the head int8, or int4 too.
// No LibTorch in this header.
#pragma once

#include <retort/abi/plugin.h>

#include <filesystem>
#include <optional>

#include "train/hooks.h"
#include "train/storage_plan.h"
#include "train/training_job.h"

namespace retort::train {

struct QuantizationJob {
  std::filesystem::path model;
  std::optional<std::filesystem::path> dataset;  ///< calibration, where the quantizer asks for it
  retort_bound_component quantizer{};            ///< of retort.quantizer/1
  double max_rejected_share = 0.01;  ///< of the calibration rows that may be unusable; they are left out and said
  StorageOptions storage;
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::filesystem::path output;
};

/// The format holds symmetric 8 bits per channel, and symmetric 4 bits in groups of 32, 64 or 128 for the layers. With
/// 4 bits the embedding and the head are rounded to int8 per row unless the job is pure, and so is a module whose input
/// columns the group does not divide; the log names it. Metrics: "weight_error", the relative root mean square error
/// over all quantised weights. Throws std::invalid_argument for another scheme, or where the group divides no layer at
/// all.
ModelSize quantize(const QuantizationJob& job, const RunHooks& hooks);

/// Bytes of the weights that quantize() would write, from the model's shape alone. Throws as quantize() for schemes.
std::int64_t planned_bytes(const std::filesystem::path& model, const retort_bound_component& quantizer,
                           const StorageOptions& storage);
/// How the quantizer stores layers whose sizes its groups divide.
retort_quantize_scheme layer_scheme(const retort_bound_component& quantizer);

/// Throws std::invalid_argument, naming the component, for requirements that the stage cannot meet: signals of another
/// interface, no samples. Returns whether it needs calibration data. Before any work.
bool check_quantizer(const retort_bound_component& quantizer);

}  // namespace retort::train
