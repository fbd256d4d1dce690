// What every loss that a plugin computes needs on the LibTorch side: tensors lent across the ABI, and a node of the
// autograd graph whose gradient is known beforehand. Internal to core/train.
#pragma once

#include <retort/abi/base.h>

#include <map>
#include <string>
#include <vector>

#include "train/libtorch.h"

namespace retort::train {

using MetricMap = std::map<std::string, double>;

/// A sink that adds every number to the entry of its name. `metrics` must outlive it.
retort_metric_sink sink_into(MetricMap& metrics);

/// Keeps a tensor (contiguous, outside autograd, in host memory: a copy where it is on another device) and its ABI view
/// alive together; address() is NULL where the tensor is undefined. To be written (flags 0), the tensor must be
/// contiguous and on the CPU already: a copy would take the result.
class Lent {
 public:
  explicit Lent(const torch::Tensor& tensor, std::uint32_t flags = RETORT_TENSOR_READ_ONLY);
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  const retort_tensor* address() const { return tensor_.defined() ? &view_ : nullptr; }

 private:
  torch::Tensor tensor_;
  retort_tensor view_{};
};

/// A scalar of the given value whose derivative with respect to inputs[i] is gradients[i] (of the same shape, on any
/// device). Undefined inputs are left out. It is on the first input's device.
torch::Tensor known_gradient(double value, const std::vector<torch::Tensor>& inputs,
                             const std::vector<torch::Tensor>& gradients);

}  // namespace retort::train
