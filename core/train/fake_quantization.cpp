#include "train/fake_quantization.h"

#include <cmath>

namespace retort::train {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [O,I] → [O,Q,I/Q].
Tensor grouped(const Tensor& weight, const Tensor& scales) {
  return weight.reshape({weight.size(0), scales.size(1), -1});
}

/// Codes less their zero points, [O,Q,I/Q] f32.
Tensor levels_of(const Tensor& ratio, const CodeRange& range) {
  if (!range.zero_points.defined()) return ratio.round().clamp_(range.lowest, range.highest);
  const Tensor zeros = range.zero_points.unsqueeze(-1);
  return ratio.round().add_(zeros).clamp_(range.lowest, range.highest).sub_(zeros);
}

struct FakeQuantize : torch::autograd::Function<FakeQuantize> {
  static Tensor forward(AutogradContext* context, const Tensor& weight, const Tensor& scales, const CodeRange& range) {
    variable_list saved = {weight, scales};
    if (range.zero_points.defined()) saved.push_back(range.zero_points);
    context->save_for_backward(saved);
    context->saved_data["lowest"] = range.lowest;
    context->saved_data["highest"] = range.highest;
    const Tensor steps = scales.unsqueeze(-1);
    return levels_of(grouped(weight, scales) / steps, range).mul_(steps).view(weight.sizes());
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &weight = saved[0], &scales = saved[1];
    const CodeRange range{saved.size() > 2 ? saved[2] : Tensor(), context->saved_data["lowest"].toDouble(),
                          context->saved_data["highest"].toDouble()};
    const Tensor ratio = grouped(weight, scales) / scales.unsqueeze(-1);
    const Tensor rounded = ratio.round();
    const Tensor codes = range.zero_points.defined() ? rounded + range.zero_points.unsqueeze(-1) : rounded;
    const Tensor inside = (codes >= range.lowest).logical_and_(codes <= range.highest);
    const Tensor gradient = grouped(upstream[0], scales);
    const Tensor slope = levels_of(ratio, range) - ratio * inside;
    const double share = 1.0 / std::sqrt(static_cast<double>(ratio.size(2)) * range.highest);
    return {(gradient * inside).view(weight.sizes()), (gradient * slope).sum(-1) * share, Tensor()};
  }
};

}  // namespace

Tensor fake_quantized(const Tensor& weight, const Tensor& scales, const CodeRange& range) {
  return FakeQuantize::apply(weight, scales, range);
}

Codes codes_of(const Tensor& weight, const Tensor& scales, const CodeRange& range) {
  const torch::NoGradGuard no_grad;
  const Tensor levels = levels_of(grouped(weight, scales) / scales.unsqueeze(-1), range);
  Codes made{{}, scales.detach().clone(), {}};
  if (!range.zero_points.defined()) {
    made.codes = levels.to(torch::kInt8).view(weight.sizes());
    return made;
  }
  constexpr double half = 8;  // four bits, unsigned where there are zero points
  made.codes = (levels + range.zero_points.unsqueeze(-1) + half).to(torch::kUInt8).view(weight.sizes());
  made.zero_points = (range.zero_points + half).to(torch::kInt32);
  return made;
}

}  // namespace retort::train
