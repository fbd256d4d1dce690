// Knowledge distillation: a student learns from a teacher's distributions through a distillation plugin. Also the
// recovery after pruning. No LibTorch in this header.
#pragma once

#include <filesystem>
#include <optional>

#include "train/fine_tuning.h"
#include "train/plugin_handle.h"

namespace retort::train {

/// Validates at the end of every epoch.
struct DistillationJob : TrainingJob {
  std::filesystem::path teacher;                 ///< model folder
  std::optional<std::filesystem::path> student;  ///< model folder with the teacher's tokenizer; nothing: a new model
  NewModel model;                                ///< without `student`; vocabulary_size is the teacher's
  DistillPlugin strategy;
  double prompt_loss_weight = 0;      ///< of the prompt's positions; 0 = responses only
  double sampling_temperature = 0.9;  ///< of on-policy batches, where the strategy asks for them (GKD)
};

/// Loss: the plugin's sum over rows, divided by the number of rows of the whole batch. Throws as fine_tune, and
/// std::invalid_argument when teacher and student have different tokenizers.
ModelSize distill(const DistillationJob& job, const RunHooks& hooks);

}  // namespace retort::train
