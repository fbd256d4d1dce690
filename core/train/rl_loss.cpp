#include "train/rl_loss.h"

namespace retort::train {

using torch::Tensor;

std::vector<float> values_of(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  const Tensor plain = tensor.detach().cpu().contiguous();
  return {plain.data_ptr<float>(), plain.data_ptr<float>() + plain.numel()};
}

Tensor rl_loss(const host::RlCall& algorithm, const host::RlStep& step, const host::RlUpdate& update,
               std::span<const std::int64_t> rows, const ResponseSignals& policy, MetricMap& metrics) {
  const host::RlPolicy now{values_of(policy.log_probs), values_of(policy.values), values_of(policy.entropies)};
  const host::RlLoss loss = algorithm.loss(step, update, rows, now, true, metrics);
  std::vector<Tensor> inputs, gradients;
  const auto add = [&](const Tensor& input, const std::vector<float>& gradient) {
    if (!input.defined() || gradient.empty()) return;
    inputs.push_back(input);
    gradients.push_back(torch::tensor(gradient, torch::kFloat32).view(input.sizes()));
  };
  add(policy.log_probs, loss.gradient.log_probs);
  add(policy.values, loss.gradient.values);
  add(policy.entropies, loss.gradient.entropies);
  return known_gradient(loss.loss, inputs, gradients);
}

}  // namespace retort::train
