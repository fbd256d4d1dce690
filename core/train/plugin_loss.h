// Losses that plugins compute, as nodes of LibTorch's autograd graph: value and gradient come from the plugin in one
// call, backward() hands the gradient on. Internal to core/train.
#pragma once

#include <retort/abi/distill.h>
#include <retort/abi/rl.h>
#include <torch/torch.h>

#include <functional>
#include <map>
#include <string>

#include "train/plugin_handle.h"

namespace retort::train {

using MetricMap = std::map<std::string, double>;

struct DistillSignals {
  torch::Tensor teacher_logits, teacher_top_ids, teacher_top_log_probs, student_hidden, teacher_hidden, labels, mask;
};

/// student_logits [N,V] → scalar Σ_rows loss. Signals that are undefined tensors are passed as NULL. The gradient also
/// flows into signals.student_hidden where the strategy asked for hidden states.
torch::Tensor distill_loss(const DistillPlugin& plugin, const torch::Tensor& student_logits,
                           const DistillSignals& signals, MetricMap& metrics);

struct RlTensors {
  torch::Tensor rewards, mask, old_log_probs, reference_log_probs, values, advantages;
  std::int64_t step_rows = 0, step_tokens = 0, maximum_tokens = 0;
};

/// Fills tensors.advantages [R,T]; returns keep [B].
torch::Tensor rl_advantages(const RlPlugin& plugin, RlTensors& tensors, MetricMap& metrics);
/// log_probs [R,T] → scalar, the rows' share of the step's loss.
torch::Tensor rl_loss(const RlPlugin& plugin, const torch::Tensor& log_probs, const RlTensors& tensors,
                      MetricMap& metrics);

}  // namespace retort::train
