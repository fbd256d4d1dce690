#include "train/plugin_node.h"

#include <limits>
#include <retort/torch.hpp>

namespace retort::train {
namespace {

using torch::Tensor;

/// Hides the gradients from autograd, which would take tensors among the arguments for inputs.
struct Gradients {
  std::vector<Tensor> list;
};

/// Value and gradients are known when the node is made: backward only scales them.
struct KnownGradient : torch::autograd::Function<KnownGradient> {
  static Tensor forward(torch::autograd::AutogradContext* context, at::TensorList /*inputs*/, double value,
                        const Gradients& gradients) {
    context->saved_data["gradients"] = gradients.list;
    const Tensor scalar = torch::tensor(value, torch::kFloat32);
    return gradients.list.empty() ? scalar : scalar.to(gradients.list.front().device());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    torch::autograd::variable_list scaled;
    for (const Tensor& gradient : context->saved_data["gradients"].toTensorVector())
      scaled.push_back(gradient * upstream[0]);
    scaled.emplace_back();  // of the value
    scaled.emplace_back();  // of the gradients
    return scaled;
  }
};

}  // namespace

retort_metric_sink sink_into(MetricMap& metrics) {
  return {sizeof(retort_metric_sink), 0, &metrics, [](void* context, retort_string name, double value) {
            (*static_cast<MetricMap*>(context))[std::string(name.data, name.size)] += value;
          }};
}

Lent::Lent(const Tensor& tensor, std::uint32_t flags) {
  if (!tensor.defined()) return;
  tensor_ = tensor.detach().cpu().contiguous();
  view_ = lend(tensor_, flags);
}

Tensor known_gradient(double value, const std::vector<Tensor>& inputs, const std::vector<Tensor>& gradients) {
  std::vector<Tensor> defined;
  Gradients known;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    defined.push_back(inputs[i]);
    known.list.push_back(gradients[i].to(inputs[i].device()));
  }
  return KnownGradient::apply(at::TensorList(defined), value, known);
}

}  // namespace retort::train
