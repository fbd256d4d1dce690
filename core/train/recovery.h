// Recovery after cuts: what was cut learns again from a model before the cut (knowledge distillation, as Minitron has
// it, arXiv 2407.14679), cut → recover → cut → recover, each cut by a pruner of its own. No LibTorch.
#pragma once

#include <retort/abi/plugin.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "train/hooks.h"
#include "train/model_selection.h"
#include "train/plugin_handle.h"
#include "train/training_job.h"

namespace retort::train {

struct RecoveryOptions {
  TrainingOptions training;   ///< of one round; its steps or epochs are the round's budget
  ModelSelection validation;  ///< `patience` ends a round before its budget is spent
  std::int64_t validation_limit = 200;
  double prompt_loss_weight = 0;
  /// Learning-rate rewinding (Renda et al., arXiv 2003.02389): every round goes through the whole schedule of rates
  /// anew. false: rounds after the first are fine-tuned at the rate that the schedule ended with.
  bool rewind = true;
};

/// One round.
struct RecoveryJob {
  std::filesystem::path dataset, teacher, student;
  std::vector<DistillPlugin> losses;  ///< instances of one loss
  RecoveryOptions options;
  std::int64_t round = 0;  ///< from 0
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::filesystem::path output, work;  ///< existing folders, as of a TrainingJob
};

/// The student after a distillation from the teacher. Throws as distill().
ModelSize recover(const RecoveryJob& job, const RunHooks& hooks);

struct CutSchedule {
  std::filesystem::path dataset;                 ///< calibrates, and is learnt from
  std::filesystem::path model;                   ///< what is cut first
  std::optional<std::filesystem::path> teacher;  ///< whom every round learns from; nothing: `model`
  std::vector<retort_bound_component> pruners;   ///< of retort.pruner/1: one a round, at least one
  std::vector<DistillPlugin> losses;             ///< instances of one loss; empty: nothing recovers
  RecoveryOptions recovery;
  double max_rejected_share = 0.01;  ///< of the calibration rows that may be unusable
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::filesystem::path output;  ///< existing folder; the last round's model
  std::filesystem::path work;    ///< existing folder: models between the rounds, which a killed run finds again
};

/// Facts as prune() and distill() give them; of several rounds as "round_N/NAME". Steps of metrics go on from round to
/// round. Throws std::invalid_argument as these do, and for no pruner or a schedule whose end trains no further round.
ModelSize cut_in_rounds(const CutSchedule& job, const RunHooks& hooks);

/// The training of round `round` (from 0). Throws std::invalid_argument where there is no rate to go on with.
TrainingOptions training_of_round(const RecoveryOptions& options, std::int64_t round);

/// Makes `folder` by `make`, which is given it empty, unless an earlier call ended. Then its mark "FOLDER.done" is
/// there.
void make_once(const std::filesystem::path& folder, const std::function<void()>& make);

}  // namespace retort::train
