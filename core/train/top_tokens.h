// How far a student is from its teachers where they are sure: what both give to the teachers' likeliest tokens.
// Internal to core/train. N rows, V vocabulary, k kept tokens.
#pragma once

#include "train/distill_loss.h"

namespace retort::train {

constexpr std::int64_t most_top_tokens = 16;

/// [N,k] log-probabilities → [N] the mass outside them, summed in double: a small difference of large sums.
torch::Tensor tail_mass(const torch::Tensor& top_log_probs);

/// Adds Σ mask · x over the rows to `report`, at temperature 1 and averaged over the teachers by their weights, where x
/// is "teacher_top_mass": the teacher's probability of its k likeliest tokens, k = min(16, V); "student_top_mass": the
/// student's of the same tokens; "top_overlap": the share of these that are among the student's k likeliest. Tokens
/// that one of them lacks have probability 0 there. Nothing without every teacher's logits: losses of top-k signals
/// report their own.
void report_top_tokens(const DistillTensors& tensors, MetricMap& report);

}  // namespace retort::train
