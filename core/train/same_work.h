// Whether the processes of one training were given the same work, asked before any of it is done. Internal to
// core/train.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/processes.h"
#include "train/training_job.h"

namespace retort::train {

/// Compares what is trained (`kind`), options, seed, the data set's files and the weights of `models`. Throws
/// std::runtime_error in every process, with all differences, where there are any. Alone it reads nothing.
void expect_same_work(const Processes& processes, const std::string& kind, const TrainingJob& job,
                      const std::vector<std::optional<std::filesystem::path>>& models);

}  // namespace retort::train
