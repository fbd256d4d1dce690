// What every loss that a plugin computes needs on the LibTorch side: tensors lent across the ABI, outputs that show
// what was left unwritten, and a node of the autograd graph whose gradient is known beforehand. Internal to core/train.
#pragma once

#include <retort/abi/base.h>
#include <torch/torch.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace retort::train {

using MetricMap = std::map<std::string, double>;

/// A sink that adds every number to the entry of its name. `metrics` must outlive it.
retort_metric_sink sink_into(MetricMap& metrics);

/// A float32 tensor full of NaN, for a plugin to write.
torch::Tensor unwritten(torch::IntArrayRef sizes);

/// Keeps a tensor (contiguous, outside autograd) and its ABI view alive together; address() is NULL where the tensor is
/// undefined. To be written (flags 0), the tensor must be contiguous already: a copy would take the result.
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

/// Several of them behind an array of pointers; addresses() is NULL where there are none.
class LentList {
 public:
  explicit LentList(const std::vector<torch::Tensor>& tensors, std::uint32_t flags = RETORT_TENSOR_READ_ONLY);
  const retort_tensor* const* addresses() const { return addresses_.empty() ? nullptr : addresses_.data(); }

 private:
  std::deque<Lent> lent_;
  std::vector<const retort_tensor*> addresses_;
};

/// A scalar of the given value whose derivative with respect to inputs[i] is gradients[i] (of the same shape).
/// Undefined inputs are left out.
torch::Tensor known_gradient(double value, const std::vector<torch::Tensor>& inputs,
                             const std::vector<torch::Tensor>& gradients);

}  // namespace retort::train
