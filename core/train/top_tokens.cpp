#include "train/top_tokens.h"

#include <algorithm>

namespace retort::train {

using torch::Tensor;

Tensor tail_mass(const Tensor& top_log_probs) {
  return (1 - top_log_probs.to(torch::kFloat64).exp().sum(-1)).clamp_min(0).to(torch::kFloat32);
}

void report_top_tokens(const DistillTensors& tensors, MetricMap& report) {
  const torch::NoGradGuard no_grad;
  for (const TeacherSignals& teacher : tensors.teachers)
    if (!teacher.logits.defined() || teacher.spans.defined()) return;
  const Tensor mask = tensors.mask.to(torch::kFloat64);
  const Tensor student = torch::log_softmax(tensors.student_logits.to(torch::kFloat32), -1);
  const std::int64_t vocabulary = student.size(1), count = std::min(most_top_tokens, vocabulary);
  const Tensor least = std::get<0>(student.topk(count)).narrow(1, count - 1, 1);  // [N,1] of the student's likeliest
  const auto add = [&](const char* name, const Tensor& of_rows, double weight) {
    report[name] += weight * (of_rows.to(torch::kFloat64) * mask).sum().item<double>();
  };
  for (const TeacherSignals& teacher : tensors.teachers) {
    const Tensor said = torch::log_softmax(teacher.logits.to(torch::kFloat32), -1);
    const auto [log_probs, ids] = said.topk(std::min(count, said.size(1)));
    const Tensor known = ids.lt(vocabulary);
    const Tensor of_student = student.gather(1, ids.clamp_max(vocabulary - 1));  // [N,k]
    add("teacher_top_mass", log_probs.exp().sum(-1), teacher.weight);
    add("student_top_mass", (of_student.exp() * known).sum(-1), teacher.weight);
    const Tensor shared = (of_student.ge(least).logical_and(known)).to(torch::kFloat32);
    add("top_overlap", shared.sum(-1) / static_cast<double>(ids.size(1)), teacher.weight);
  }
}

}  // namespace retort::train
