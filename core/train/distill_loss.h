// The distillation loss of a plugin as a node of LibTorch's graph. Internal to core/train. N rows, V vocabulary, k kept
// teacher entries, Lh declared layers, D hidden, P trained parameters.
#pragma once

#include <vector>

#include "host/algorithm/distill_call.h"
#include "train/libtorch.h"
#include "train/plugin_node.h"

namespace retort::train {

/// What one teacher says about the rows; undefined where the loss did not ask for it.
struct TeacherSignals {
  double weight = 1;
  torch::Tensor logits;                        ///< [N,V_teacher]
  torch::Tensor top_ids, top_log_probs, tail;  ///< [N,k] int64, [N,k], [N]
  std::vector<torch::Tensor> hidden;           ///< [Lh] of [N,D_teacher]
  torch::Tensor labels, spans;                 ///< [N_teacher], [M,4] int64, with TEACHER_SPANS
};

/// Some rows of a step.
struct DistillTensors {
  bool on_policy = false;
  torch::Tensor student_logits;                               ///< [N,V]
  std::vector<torch::Tensor> student_hidden;                  ///< [Lh] of [N,D_student] f32
  std::vector<TeacherSignals> teachers;                       ///< [A]
  torch::Tensor labels, mask, sequences, positions, lengths;  ///< [N]
  std::vector<torch::Tensor> parameters;                      ///< [P]
  std::int64_t step = 0, total_steps = 1, step_sequences = 0;
  double step_weight = 0;
};

/// Scalar Σ_rows loss, whose gradient flows into logits, hidden states and parameters. Adds what the loss reports to
/// `metrics`. Throws as DistillCall::loss; where the student itself is not finite any more, says that instead.
torch::Tensor distill_loss(const host::DistillCall& call, const host::DistillRequirements& wanted,
                           const DistillTensors& tensors, MetricMap& metrics);

}  // namespace retort::train
