// Structured pruning: calibration signals to a pruner plugin, its plan applied to the weights. The result is a smaller
// model of the same family that loads anywhere. No LibTorch in this header.
#pragma once

#include <retort/abi/plugin.h>

#include <filesystem>

#include "train/hooks.h"
#include "train/training_job.h"

namespace retort::train {

struct PruningJob {
  std::filesystem::path dataset;  ///< calibration: train.jsonl
  std::filesystem::path model;
  retort_bound_component pruner{};   ///< of retort.pruner/1
  double max_rejected_share = 0.01;  ///< of the calibration rows that may be unusable; they are left out and said
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::filesystem::path output;
};

/// Metrics: "parameters_before", "parameters_removed" (share), and the pruner's own. Throws std::invalid_argument for a
/// plan that does not fit the model (host::check_prune_plan). A vocabulary plan is closed under the merges of its
/// tokens, and the tokenizer goes with it.
ModelSize prune(const PruningJob& job, const RunHooks& hooks);

/// Throws std::invalid_argument, naming the component, for requirements that the stage cannot meet: signals of another
/// interface, no samples. Returns whether it needs calibration data. Before any work.
bool check_pruner(const retort_bound_component& pruner);

}  // namespace retort::train
