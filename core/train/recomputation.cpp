#include "train/recomputation.h"

#include <ATen/autocast_mode.h>

namespace retort::train {
namespace {

using torch::Tensor;
using torch::autograd::variable_list;

/// What the backward pass needs beside tensors.
struct Kept : torch::CustomClassHolder {
  LayerPass again;
  bool autocast = false;
};

class Autocast {
 public:
  Autocast(c10::DeviceType device, bool on)
      : device_(device),
        before_(at::autocast::is_autocast_enabled(device)),
        cache_before_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_enabled(device, on);
    at::autocast::set_autocast_cache_enabled(false);  // what it kept of a weight would outlive the step
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(device_, before_);
    at::autocast::set_autocast_cache_enabled(cache_before_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType device_;
  bool before_, cache_before_;
};

struct Passes {
  const LayerPass& first;
  LayerPass again;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs, const Passes& passes) {
    context->save_for_backward(inputs.vec());
    auto kept = c10::make_intrusive<Kept>();
    kept->again = passes.again;
    kept->autocast = at::autocast::is_autocast_enabled(inputs[0].device().type());
    context->saved_data["passes"] = c10::IValue::make_capsule(kept);
    return passes.first(inputs[0]);
  }
  static variable_list backward(torch::autograd::AutogradContext* context, variable_list upstream) {
    const auto holder = context->saved_data["passes"].toCapsule();
    const Kept& kept = static_cast<const Kept&>(*holder);
    const variable_list saved = context->get_saved_variables();
    const at::AutoGradMode record(true);
    const Autocast precision(saved[0].device().type(), kept.autocast);
    variable_list inputs, wanted;
    std::vector<std::size_t> places;
    const Tensor x = saved[0].detach().requires_grad_(context->needs_input_grad(0));
    for (std::size_t i = 0; i < saved.size(); ++i) {
      if (!context->needs_input_grad(i)) continue;
      wanted.push_back(i == 0 ? x : saved[i]);
      places.push_back(i);
    }
    const Tensor result = kept.again(x);
    const variable_list found = torch::autograd::grad({result}, wanted, {upstream[0]}, std::nullopt, false, true);
    variable_list gradients(saved.size() + 1);  // the last is of the passes
    for (std::size_t i = 0; i < places.size(); ++i) gradients[places[i]] = found[i];
    return gradients;
  }
};

}  // namespace

Tensor recomputed(const Tensor& x, const std::vector<Tensor>& weights, const LayerPass& first, LayerPass again) {
  std::vector<Tensor> inputs{x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  return Recomputed::apply(at::TensorList(inputs), Passes{first, std::move(again)});
}

}  // namespace retort::train
