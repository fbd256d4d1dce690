#include "train/plugin_loss.h"

#include <retort/torch.hpp>

namespace retort::train {
namespace {

using torch::Tensor;

retort_metric_sink sink_into(MetricMap& metrics) {
  return {sizeof(retort_metric_sink), 0, &metrics, [](void* context, retort_string name, double value) {
            (*static_cast<MetricMap*>(context))[std::string(name.data, name.size)] += value;
          }};
}

/// Keeps the tensor (contiguous, outside autograd) and its ABI view alive together; address() is NULL if undefined.
class Lent {
 public:
  explicit Lent(const Tensor& tensor, std::uint32_t flags = RETORT_TENSOR_READ_ONLY) {
    if (!tensor.defined()) return;
    tensor_ = tensor.detach().contiguous();
    view_ = lend(tensor_, flags);
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  const retort_tensor* address() const { return tensor_.defined() ? &view_ : nullptr; }

 private:
  Tensor tensor_;
  retort_tensor view_{};
};

/// Autograd takes no undefined inputs: an empty tensor stands for an input that the plugin does not look at.
Tensor or_empty(const Tensor& tensor) {
  return tensor.defined() ? tensor : torch::empty({0});
}

/// Value and gradients are known when the node is made: backward only scales them.
struct KnownGradient : torch::autograd::Function<KnownGradient> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& /*first*/, const Tensor& /*second*/,
                        double value, const Tensor& first_gradient, const Tensor& second_gradient) {
    context->saved_data["first"] = first_gradient;
    context->saved_data["second"] = second_gradient;
    return torch::tensor(value, torch::kFloat32);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    const auto scaled = [&](const char* name) { return context->saved_data[name].toTensor() * upstream[0]; };
    return {scaled("first"), scaled("second"), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor distill_loss(const DistillPlugin& plugin, const Tensor& student_logits, const DistillSignals& signals,
                    MetricMap& metrics) {
  const Lent student(student_logits), teacher(signals.teacher_logits), ids(signals.teacher_top_ids),
      log_probs(signals.teacher_top_log_probs), student_hidden(signals.student_hidden),
      teacher_hidden(signals.teacher_hidden), labels(signals.labels), mask(signals.mask);
  retort_distill_batch batch{};
  batch.struct_size = sizeof(batch);
  batch.student_logits = student.address();
  batch.teacher_logits = teacher.address();
  batch.teacher_top_ids = ids.address();
  batch.teacher_top_log_probs = log_probs.address();
  batch.student_hidden = student_hidden.address();
  batch.teacher_hidden = teacher_hidden.address();
  batch.labels = labels.address();
  batch.mask = mask.address();

  const Tensor gradient = torch::empty(student_logits.sizes(), torch::kFloat32);
  const Tensor hidden_gradient =
      signals.student_hidden.defined() ? torch::zeros(signals.student_hidden.sizes(), torch::kFloat32) : Tensor();
  const Lent gradient_view(gradient, 0), hidden_view(hidden_gradient, 0);
  double value = 0;
  const retort_metric_sink sink = sink_into(metrics);
  plugin.throw_if_error(
      plugin.functions->loss(plugin.instance, &batch, &value, gradient_view.address(), hidden_view.address(), &sink));
  return KnownGradient::apply(student_logits, or_empty(signals.student_hidden), value, gradient,
                              or_empty(hidden_gradient));
}

namespace {

/// The ABI's batch and the views that it points to.
struct LentRlBatch {
  Lent rewards, mask, log_probs, old_log_probs, reference_log_probs, values, advantages;
  retort_rl_batch batch{};
  LentRlBatch(const RlTensors& tensors, const Tensor& current)
      : rewards(tensors.rewards),
        mask(tensors.mask),
        log_probs(current),
        old_log_probs(tensors.old_log_probs),
        reference_log_probs(tensors.reference_log_probs),
        values(tensors.values),
        advantages(tensors.advantages) {
    batch.struct_size = sizeof(batch);
    batch.rewards = rewards.address();
    batch.mask = mask.address();
    batch.log_probs = log_probs.address();
    batch.old_log_probs = old_log_probs.address();
    batch.reference_log_probs = reference_log_probs.address();
    batch.values = values.address();
    batch.advantages = advantages.address();
    batch.step_rows = tensors.step_rows;
    batch.step_tokens = tensors.step_tokens;
    batch.maximum_tokens = tensors.maximum_tokens;
  }
};

}  // namespace

Tensor rl_advantages(const RlPlugin& plugin, RlTensors& tensors, MetricMap& metrics) {
  const LentRlBatch lent(tensors, tensors.old_log_probs);
  const Tensor advantages = torch::zeros(tensors.mask.sizes(), torch::kFloat32);
  const Tensor keep = torch::ones({tensors.rewards.size(0)}, torch::kFloat32);
  const Lent advantages_view(advantages, 0), keep_view(keep, 0);
  const retort_metric_sink sink = sink_into(metrics);
  plugin.throw_if_error(plugin.functions->advantages(plugin.instance, &lent.batch, advantages_view.address(),
                                                     keep_view.address(), &sink));
  tensors.advantages = advantages;
  return keep;
}

Tensor rl_loss(const RlPlugin& plugin, const Tensor& log_probs, const RlTensors& tensors, MetricMap& metrics) {
  const LentRlBatch lent(tensors, log_probs);
  const Tensor gradient = torch::zeros(log_probs.sizes(), torch::kFloat32);
  const Tensor values_gradient =
      tensors.values.defined() ? torch::zeros(tensors.values.sizes(), torch::kFloat32) : Tensor();
  const Lent gradient_view(gradient, 0), values_view(values_gradient, 0);
  double value = 0;
  const retort_metric_sink sink = sink_into(metrics);
  plugin.throw_if_error(plugin.functions->loss(plugin.instance, &lent.batch, &value, gradient_view.address(),
                                               values_view.address(), &sink));
  return KnownGradient::apply(log_probs, or_empty(tensors.values), value, gradient, or_empty(values_gradient));
}

}  // namespace retort::train
