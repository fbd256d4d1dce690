// Each fused operation against the composed one: values and gradients, at sizes that no vector length divides.
#include "train/fused_operations.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>

namespace retort::train {
namespace {

using torch::Tensor;
using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Largest difference of values and of gradients with respect to every input, under a random upstream gradient.
double largest_difference(const Function& fused, const Function& reference, const std::vector<Tensor>& inputs) {
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

}  // namespace

// f32 against f32 in another order of summation; values and gradients are of order 1 to 10.
constexpr double tolerance = 2e-5;

TEST(FusedOperations, RmsNormEqualsTheComposedForm) {
  torch::manual_seed(1);
  for (const std::int64_t size : {2, 33, 70, 256}) {
    const Function fused = [](const auto& in) { return rms_norm(in[0], in[1], 1e-5); };
    const Function reference = [](const auto& in) { return ref_rms_norm(in[0], in[1], 1e-5); };
    EXPECT_LT(largest_difference(fused, reference, {torch::randn({3, 45, size}), torch::randn({size})}), 5 * tolerance)
        << size;
  }
}

TEST(FusedOperations, RotateEqualsTheComposedForm) {
  torch::manual_seed(2);
  for (const std::int64_t head_dim : {2, 10, 32}) {
    const Tensor half = torch::randn({7, head_dim / 2});
    const Tensor angles = torch::cat({half, half}, -1);
    const Tensor cosine = angles.cos(), sine = angles.sin();
    const Function fused = [&](const auto& in) { return rotate(in[0], cosine, sine); };
    const Function reference = [&](const auto& in) { return ref_rotate(in[0], cosine, sine); };
    EXPECT_LT(largest_difference(fused, reference, {torch::randn({2, 7, 3, head_dim})}), tolerance) << head_dim;
  }
}

TEST(FusedOperations, SwigluEqualsTheComposedForm) {
  torch::manual_seed(3);
  const Function fused = [](const auto& in) { return swiglu(in[0], in[1]); };
  const Function reference = [](const auto& in) { return ref_swiglu(in[0], in[1]); };
  EXPECT_LT(largest_difference(fused, reference, {torch::randn({2, 67, 97}), torch::randn({2, 67, 97})}), tolerance);
}

TEST(FusedOperations, TakeInputsThatAreNotContiguous) {
  torch::manual_seed(4);
  const Function fused = [](const auto& in) { return rms_norm(in[0].transpose(0, 1), in[1], 1e-5); };
  const Function reference = [](const auto& in) { return ref_rms_norm(in[0].transpose(0, 1), in[1], 1e-5); };
  EXPECT_LT(largest_difference(fused, reference, {torch::randn({5, 3, 16}), torch::randn({16})}), 5 * tolerance);
}

}  // namespace retort::train
