// Knowledge distillation: a student learns from the distributions and states of teachers through a distillation plugin.
// Also the recovery after pruning. No LibTorch in this header.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/fine_tuning.h"
#include "train/model_selection.h"
#include "train/new_model.h"
#include "train/plugin_handle.h"
#include "train/training_job.h"

namespace retort::train {

class StudentForm;  // student_form.h

struct DistillationJob : TrainingJob {
  /// Model folders. The first gives tokenizer and task, unless a student with a tokenizer of its own does; how each
  /// one's tokens stand to these is decided and logged (vocabulary_bridge.h). Where the loss asks for TEACHER_SPANS
  /// every tokenizer will do, and the student, which must be given, brings tokenizer and task.
  std::vector<std::filesystem::path> teachers;
  std::vector<double> teacher_weights;  ///< one a teacher, above 0; empty: all alike
  /// What the one teacher said about this data set, read instead of asking it (recorded_signals.h). With them and a
  /// `student`, there need be no teacher.
  std::optional<std::filesystem::path> signals;
  bool ask_for_unrecorded = false;  ///< with `signals`: asks the teacher about rows that they lack, instead of refusing
  bool leave_out_unrecorded = false;             ///< likewise: such rows are not learnt, and counted
  std::optional<std::filesystem::path> student;  ///< model folder; nothing: a new model with the teachers' tokenizer
  NewModel model;  ///< without `student`; vocabulary_size is the teacher's, max_positions and rope_theta 0 likewise
  std::vector<DistillPlugin> losses;  ///< instances of one loss with the same parameters: one a thread, or fewer
  /// What a student begins with: "random", "embeddings" of the first teacher (initialisation.h), or "layers": it is the
  /// first teacher with model.layers of its layers.
  std::string initialisation = "random";
  ModelSelection validation;
  double prompt_loss_weight = 0;  ///< of the prompt's positions; 0 = responses only
  /// Of the prompts' positions in data set rows, where a teacher that was taught prompt_tags() says what each token is;
  /// 0 = none. Not with signals or TEACHER_SPANS.
  double tag_weight = 0;
  double sampling_temperature = 0.9;  ///< of on-policy batches, where the loss asks for them (GKD)
  StudentForm* form = nullptr;        ///< how the student computes and is written; null: as it is. Borrowed
  double teacher_answers = 0;  ///< share in [0,1] of the other batches whose answers a teacher writes anew, greedily
};

/// Loss: the plugin's sum over rows, divided by the weight of the rows of the whole batch. Parameters that the loss
/// declares are trained with the student and not written. Throws as fine_tune, and std::invalid_argument when the
/// models have different tokenizers or the loss asks for what is not offered here, as RecordedSignals.
ModelSize distill(const DistillationJob& job, const RunHooks& hooks);

/// What a loss asks for, before its models are known, that distill() cannot give: a sentence each.
std::vector<std::string> distillation_findings(const DistillPlugin& loss);

}  // namespace retort::train
