// The optimiser loop that fine-tuning, distillation and policy gradient share: AdamW, schedule, clipping, averaging of
// weights, checkpoints. Internal to core/train.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "train/decoder_module.h"
#include "train/hooks.h"
#include "train/learning_rate.h"
#include "train/training_options.h"

namespace retort::train {

/// One run of `total_steps` optimiser steps over a decoder's weights. Everything random in a step must come from its
/// seed, so that a run continued from a checkpoint ends with the same bytes as one that was never stopped.
class Trainer {
 public:
  Trainer(DecoderModule& decoder, const TrainingOptions& options, std::int64_t total_steps, std::uint64_t seed,
          std::filesystem::path work_folder, const RunHooks& hooks);
  ~Trainer();

  /// Calls `accumulate(step)` for every step that is left. It adds its gradient to the weights and returns the loss to
  /// plot; a NaN or infinite loss or gradient stops the run with an error that says where.
  void run(const std::string& label, const std::function<double(std::int64_t step)>& accumulate);
  /// Replaces the weights by their running average, where one is kept. Once, at the end.
  void use_averaged_weights();

 private:
  bool resume();
  void save_checkpoint(std::int64_t next_step) const;
  void update(std::int64_t step, double loss);

  DecoderModule& decoder_;
  TrainingOptions options_;
  LearningRateSchedule schedule_;
  std::int64_t total_steps_, next_step_ = 0;
  std::uint64_t seed_;
  std::filesystem::path checkpoint_;
  const RunHooks& hooks_;
  std::unique_ptr<torch::optim::AdamW> optimizer_;
  std::vector<torch::Tensor> average_;
};

/// Runs matrix products inside in bfloat16 where the machine multiplies it in hardware and `precision` allows it.
class MixedPrecision {
 public:
  explicit MixedPrecision(const std::string& precision);
  ~MixedPrecision();
  MixedPrecision(const MixedPrecision&) = delete;
  MixedPrecision& operator=(const MixedPrecision&) = delete;

 private:
  bool active_;
};

/// Sets LibTorch's threads for the process.
void use_threads(std::int64_t threads);

/// Runs `body`; LibTorch's own errors leave as std::runtime_error without their stack traces.
template <typename Body>
auto with_plain_errors(const Body& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    throw std::runtime_error(std::string("LibTorch: ") + error.what_without_backtrace());
  }
}

}  // namespace retort::train
