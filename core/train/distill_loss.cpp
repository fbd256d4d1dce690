#include "train/distill_loss.h"

#include <deque>
#include <stdexcept>

namespace retort::train {
namespace {

using torch::Tensor;

std::vector<const retort_tensor*> views(std::deque<Lent>& kept, const std::vector<Tensor>& tensors,
                                        std::uint32_t flags = RETORT_TENSOR_READ_ONLY) {
  std::vector<const retort_tensor*> list;
  for (const Tensor& tensor : tensors) list.push_back(kept.emplace_back(tensor, flags).address());
  return list;
}

/// The rows as the call wants them; `kept` holds the views.
host::DistillRows rows_of(const DistillTensors& tensors, std::deque<Lent>& kept) {
  const auto view = [&](const Tensor& tensor) { return kept.emplace_back(tensor).address(); };
  host::DistillRows rows;
  rows.on_policy = tensors.on_policy;
  rows.student_logits = view(tensors.student_logits);
  rows.student_hidden = views(kept, tensors.student_hidden);
  for (const TeacherSignals& teacher : tensors.teachers)
    rows.teachers.push_back({teacher.weight, view(teacher.logits), view(teacher.top_ids), view(teacher.top_log_probs),
                             view(teacher.tail), views(kept, teacher.hidden), view(teacher.labels),
                             view(teacher.spans)});
  rows.labels = view(tensors.labels);
  rows.mask = view(tensors.mask);
  rows.sequences = view(tensors.sequences);
  rows.positions = view(tensors.positions);
  rows.lengths = view(tensors.lengths);
  rows.parameters = views(kept, tensors.parameters);
  rows.step = tensors.step;
  rows.total_steps = tensors.total_steps;
  rows.step_sequences = tensors.step_sequences;
  rows.step_weight = tensors.step_weight;
  return rows;
}

/// In host memory, where the loss writes them.
std::vector<Tensor> unwritten_like(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> list;
  for (const Tensor& tensor : tensors) list.push_back(torch::empty(tensor.sizes(), torch::kFloat32));
  return list;
}

}  // namespace

Tensor distill_loss(const host::DistillCall& call, const host::DistillRequirements& wanted,
                    const DistillTensors& tensors, MetricMap& metrics) {
  std::deque<Lent> kept;
  const host::DistillRows rows = rows_of(tensors, kept);
  std::vector<Tensor> inputs{tensors.student_logits};
  inputs.insert(inputs.end(), tensors.student_hidden.begin(), tensors.student_hidden.end());
  inputs.insert(inputs.end(), tensors.parameters.begin(), tensors.parameters.end());
  const std::vector<Tensor> gradients = unwritten_like(inputs);
  const auto all = views(kept, gradients, 0);
  const auto hidden_end = all.begin() + 1 + static_cast<std::ptrdiff_t>(tensors.student_hidden.size());
  const host::DistillGradients outputs{all.front(), {all.begin() + 1, hidden_end}, {hidden_end, all.end()}};
  const retort_metric_sink sink = sink_into(metrics);
  double value = 0;
  try {
    value = call.loss(wanted, rows, &outputs, sink);
  } catch (const std::runtime_error&) {
    if (tensors.student_logits.isfinite().all().item<bool>()) throw;
    throw std::runtime_error("training diverged at step " + std::to_string(tensors.step) +
                             ": the student's logits are not finite; lower learning_rate or raise warmup_fraction");
  }
  return known_gradient(value, inputs, gradients);
}

}  // namespace retort::train
