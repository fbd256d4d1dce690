// The optimiser loop that all training shares, over named parameter groups: optimiser, schedule, clipping by one global
// norm, averaging of weights, validations and what they choose, checkpoints. Internal to core/train.
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <retort/host.hpp>
#include <stdexcept>
#include <string>

#include "host/plugin/plugin_error.h"
#include "train/hooks.h"
#include "train/learning_rate.h"
#include "train/libtorch.h"
#include "train/model_selection.h"
#include "train/optimizer.h"
#include "train/parameter_groups.h"
#include "train/processes.h"
#include "train/training_options.h"

namespace torch::serialize {
class InputArchive;
}

namespace retort::train {

/// How the trainer validates: with the weights that would be the result if it ended now.
struct Validation {
  std::function<double()> score;                        ///< greater is better; called without gradients; may be stopped
  std::function<bool(std::int64_t steps_done)> is_due;  ///< asked before every step but the first, and after the last
  ModelSelection selection;                             ///< its `keep` and `patience`
};

/// One run of `total_steps` optimiser steps over all groups. Everything random in a step must come from its seed, so
/// that a run continued from a checkpoint ends with the same bytes as one that was never stopped.
class Trainer {
 public:
  /// Continues from the checkpoint in `work_folder` where there is one. Throws std::runtime_error for one that cannot
  /// be read, or that holds other groups or tensors than `groups`.
  Trainer(ParameterGroups groups, const TrainingOptions& options, std::int64_t total_steps, std::uint64_t seed,
          std::filesystem::path work_folder, const RunHooks& hooks);
  ~Trainer();

  /// Checkpoints are written after a number of steps that `steps` divides: updates that share what is not in them (a
  /// batch of rollouts) are repeated together. Stopped on request in between, run() calls `save_shared`, which writes
  /// that down, before it leaves a checkpoint. 1 unless set.
  void checkpoint_at_multiples_of(std::int64_t steps, std::function<void()> save_shared) {
    checkpoint_multiple_ = steps;
    save_shared_ = std::move(save_shared);
  }

  /// Each score becomes the metric "validation_exact_match" of the last step before it.
  void validate_with(Validation validation) { validation_ = std::move(validation); }

  /// What a step saw, as JSON: written to "diverged.json" in the work folder, with the tensors that are not finite,
  /// where a step's loss or gradient is not.
  void describe_batches_with(std::function<nlohmann::json(std::int64_t step)> describe) {
    describe_ = std::move(describe);
  }

  /// After every accumulate() the gradients and losses of all these processes are summed, and all stop before the same
  /// step, when one is asked to. Borrows. Throws std::runtime_error where they do not begin with the same step of the
  /// same training.
  void share_with(const Processes& processes);
  /// Called by accumulate(): tokens that the step looks at, for the metric "tokens_per_second".
  void saw_tokens(std::int64_t tokens) { tokens_ += tokens; }

  /// Calls `accumulate(step)` for every step that is left, fewer where patience ends (fact "steps"). It adds its
  /// gradient to the weights and returns the loss to plot; a NaN or infinite loss or gradient is an error that says
  /// where. Stopped on request, it leaves a checkpoint.
  void run(const std::string& label, const std::function<double(std::int64_t step)>& accumulate);
  /// Replaces the weights by what is kept of the run: those of the best validation, or their running average, where
  /// there are any. Once, at the end. Returns the score of what is kept, where that was validated; reports "best_step".
  std::optional<double> use_kept_weights();

 private:
  bool resume();
  void read_best(torch::serialize::InputArchive& archive);
  void save_checkpoint(std::int64_t next_step) const;
  void update(std::int64_t step, double loss);
  [[noreturn]] void diverged(std::int64_t step, double loss) const;
  void throw_if_stopped() const;
  double clip_gradients() const;
  bool validate(std::int64_t steps_done);  ///< false: patience has ended
  double score_of_result();

  /// What validations have come to.
  struct Best {
    double score = -std::numeric_limits<double>::infinity(), latest = score;
    std::int64_t steps = 0;             ///< done before it; 0: there was no validation
    std::int64_t latest_steps = 0;      ///< done before the latest one
    std::int64_t without = 0;           ///< validations since
    std::vector<torch::Tensor> values;  ///< one a weight, where the best are kept
  };

  ParameterGroups groups_;
  std::vector<torch::Tensor> weights_;  ///< of all groups
  TrainingOptions options_;
  LearningRateSchedule schedule_;
  std::int64_t total_steps_, next_step_ = 0, last_checkpoint_ = 0, checkpoint_multiple_ = 1;
  std::function<void()> save_shared_;
  std::uint64_t seed_;
  std::filesystem::path checkpoint_;
  const RunHooks& hooks_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<torch::Tensor> average_;  ///< one a weight; empty where none is kept
  std::optional<Validation> validation_;
  std::function<nlohmann::json(std::int64_t)> describe_;
  const Processes* processes_ = nullptr;  ///< null: alone
  std::int64_t tokens_ = 0;               ///< of the present step
  Best best_;
  int threads_;  ///< of LibTorch's operations outside of accumulate()
};

/// Runs matrix products of `device` inside in bfloat16: by "bf16", and by "auto" unless it is a CPU that lacks them.
class MixedPrecision {
 public:
  explicit MixedPrecision(const std::string& precision, torch::Device device = torch::kCPU);
  ~MixedPrecision();
  MixedPrecision(const MixedPrecision&) = delete;
  MixedPrecision& operator=(const MixedPrecision&) = delete;

 private:
  c10::DeviceType device_;
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
