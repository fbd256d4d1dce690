// Each fused operation against the composed one: values and gradients, at sizes that no vector length divides.
#include "train/fused_operations.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "gradient_difference.h"

namespace retort::train {

using testing::Function;
using testing::largest_difference;
using torch::Tensor;

// f32 against f32 in another order of summation; values and gradients are of order 1 to 10.
constexpr double fused_tolerance = 2e-5;

TEST(FusedOperations, RmsNormEqualsTheComposedForm) {
  torch::manual_seed(1);
  for (const std::int64_t size : {2, 33, 70, 256}) {
    const Function fused = [](const auto& in) { return rms_norm(in[0], in[1], 1e-5); };
    const Function reference = [](const auto& in) { return ref_rms_norm(in[0], in[1], 1e-5); };
    EXPECT_LT(largest_difference(fused, reference, {torch::randn({3, 45, size}), torch::randn({size})}),
              5 * fused_tolerance)
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
    EXPECT_LT(largest_difference(fused, reference, {torch::randn({2, 7, 3, head_dim})}), fused_tolerance) << head_dim;
  }
}

TEST(FusedOperations, SwigluEqualsTheComposedForm) {
  torch::manual_seed(3);
  const Function fused = [](const auto& in) { return swiglu(in[0], in[1]); };
  const Function reference = [](const auto& in) { return ref_swiglu(in[0], in[1]); };
  EXPECT_LT(largest_difference(fused, reference, {torch::randn({2, 67, 97}), torch::randn({2, 67, 97})}),
            fused_tolerance);
}

TEST(FusedOperations, TakeInputsThatAreNotContiguous) {
  torch::manual_seed(4);
  const Function fused = [](const auto& in) { return rms_norm(in[0].transpose(0, 1), in[1], 1e-5); };
  const Function reference = [](const auto& in) { return ref_rms_norm(in[0].transpose(0, 1), in[1], 1e-5); };
  EXPECT_LT(largest_difference(fused, reference, {torch::randn({5, 3, 16}), torch::randn({16})}), 5 * fused_tolerance);
}

}  // namespace retort::train
