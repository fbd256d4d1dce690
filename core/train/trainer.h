// The optimiser loop that all training shares, over named parameter groups: AdamW, schedule, clipping by one global
// norm, averaging of weights, checkpoints. Internal to core/train.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <retort/host.hpp>
#include <stdexcept>
#include <string>

#include "host/plugin/plugin_error.h"
#include "train/hooks.h"
#include "train/learning_rate.h"
#include "train/libtorch.h"
#include "train/parameter_groups.h"
#include "train/training_options.h"

namespace torch::optim {
class AdamW;
}

namespace retort::train {

/// One run of `total_steps` optimiser steps over all groups. Everything random in a step must come from its seed, so
/// that a run continued from a checkpoint ends with the same bytes as one that was never stopped.
class Trainer {
 public:
  /// Continues from the checkpoint in `work_folder` where there is one. Throws std::runtime_error for one that cannot
  /// be read, or that holds other groups or tensors than `groups`.
  Trainer(ParameterGroups groups, const TrainingOptions& options, std::int64_t total_steps, std::uint64_t seed,
          std::filesystem::path work_folder, const RunHooks& hooks);
  ~Trainer();

  /// Checkpoints are written only after a number of steps that `steps` divides: updates that share what is not kept (a
  /// batch of rollouts) are repeated together. 1 unless set.
  void checkpoint_at_multiples_of(std::int64_t steps) { checkpoint_multiple_ = steps; }

  /// Calls `accumulate(step)` for every step that is left. It adds its gradient to the weights and returns the loss to
  /// plot; a NaN or infinite loss or gradient is an error that says where. Stopped on request, it leaves a checkpoint.
  void run(const std::string& label, const std::function<double(std::int64_t step)>& accumulate);
  /// Replaces the weights by their running average, where one is kept. Once, at the end.
  void use_averaged_weights();

 private:
  bool resume();
  void save_checkpoint(std::int64_t next_step) const;
  void update(std::int64_t step, double loss);

  ParameterGroups groups_;
  std::vector<torch::Tensor> weights_;  ///< of all groups
  TrainingOptions options_;
  LearningRateSchedule schedule_;
  std::int64_t total_steps_, next_step_ = 0, last_checkpoint_ = 0, checkpoint_multiple_ = 1;
  std::uint64_t seed_;
  std::filesystem::path checkpoint_;
  const RunHooks& hooks_;
  std::unique_ptr<torch::optim::AdamW> optimizer_;
  std::vector<double> rate_scales_;     ///< one for each of the optimiser's groups
  std::vector<torch::Tensor> average_;  ///< one a weight; empty where none is kept
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

/// Runs `body`; LibTorch's own errors leave as std::runtime_error without their stack traces, and those of components
/// as what their code says: std::invalid_argument, retort::Stopped or std::runtime_error.
template <typename Body>
auto with_plain_errors(const Body& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    throw std::runtime_error(std::string("LibTorch: ") + error.what_without_backtrace());
  } catch (const host::PluginError& error) {
    if (error.code() == RETORT_ERROR_STOPPED) throw Stopped();
    if (error.code() == RETORT_ERROR_INVALID_ARGUMENT) throw std::invalid_argument(error.what());
    throw std::runtime_error(error.what());
  }
}

}  // namespace retort::train
