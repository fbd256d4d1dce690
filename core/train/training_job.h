// What every job that trains a model on a dataset is told, whatever its loss. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>

#include "train/training_options.h"

namespace retort::train {

struct TrainingJob {
  std::filesystem::path dataset;        ///< folder with tools.json, train.jsonl, maybe validation.jsonl
  std::int64_t validation_limit = 200;  ///< validation utterances answered at a validation; 0 = off
  TrainingOptions training;             ///< how to optimise
  std::uint64_t seed = 0;               ///< of weights, order and samples
  std::int64_t threads = 1;             ///< of LibTorch's operations
  std::filesystem::path output;         ///< existing folder; the model is written here
  std::filesystem::path work;           ///< existing folder for checkpoints
};

/// The size of what a job wrote.
struct ModelSize {
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;  ///< of all weights as stored
};

}  // namespace retort::train
