// How far a fused operation is from the composed one, in values and gradients.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace retort::train::testing {

using torch::Tensor;
using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Largest difference of values and of gradients with respect to every input, under a random upstream gradient.
inline double largest_difference(const Function& fused, const Function& reference, const std::vector<Tensor>& inputs) {
  std::vector<std::vector<Tensor>> results;
  for (const Function* function : {&fused, &reference}) {
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) leaves.push_back(input.clone().set_requires_grad(true));
    const Tensor y = (*function)(leaves);
    torch::manual_seed(9);
    (y * torch::randn(y.sizes())).sum().backward();
    results.push_back({y.detach()});
    for (const Tensor& leaf : leaves) results.back().push_back(leaf.grad());
  }
  double largest = 0;
  for (std::size_t i = 0; i < results[0].size(); ++i)
    largest = std::max(largest, (results[0][i] - results[1][i]).abs().max().item<double>());
  return largest;
}

}  // namespace retort::train::testing
