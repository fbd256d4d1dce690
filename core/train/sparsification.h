// Sparsification: every linear matrix of the layers through a sparsifier plugin. The result is an ordinary model folder
// with zeros in it; embedding and head stay. No LibTorch in this header.
#pragma once

#include <retort/abi/plugin.h>

#include <filesystem>
#include <optional>

#include "train/hooks.h"
#include "train/training_job.h"

namespace retort::train {

struct SparsificationJob {
  std::filesystem::path model;
  std::optional<std::filesystem::path> dataset;  ///< calibration, where the sparsifier asks for it
  retort_bound_component sparsifier{};           ///< of retort.sparsifier/1
  double max_rejected_share = 0.01;  ///< of the calibration rows that may be unusable; they are left out and said
  std::int64_t threads = 1;
  std::filesystem::path output;
};

/// Metrics: "sparsity", the share of zeros of the layers' matrices, and the means of the sparsifier's own. Throws
/// std::invalid_argument where the sparsifier wants calibration and there is none.
ModelSize sparsify(const SparsificationJob& job, const RunHooks& hooks);

/// Throws std::invalid_argument, naming the component, for requirements that the stage cannot meet: signals of another
/// interface, no samples. Returns whether it needs calibration data. Before any work.
bool check_sparsifier(const retort_bound_component& sparsifier);

}  // namespace retort::train
