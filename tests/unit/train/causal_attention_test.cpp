// Fused attention against the composed form, at sizes that no tile divides.
#include "train/causal_attention.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "gradient_difference.h"

namespace retort::train {
namespace {

using testing::Function;
using testing::largest_difference;
using torch::Tensor;

// f32 against f32 in another order of summation; values and gradients are of order 1 to 10.
constexpr double tolerance = 2e-5;

const Function fused = [](const auto& in) { return causal_attention(in[0], in[1], in[2]); };
const Function reference = [](const auto& in) { return ref_causal_attention(in[0], in[1], in[2]); };

std::vector<Tensor> random_inputs(std::int64_t time, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim) {
  return {torch::randn({2, time, heads, head_dim}), torch::randn({2, time, kv_heads, head_dim}),
          torch::randn({2, time, kv_heads, head_dim})};
}

}  // namespace

TEST(CausalAttention, EqualsTheComposedForm) {
  torch::manual_seed(1);
  for (const std::int64_t time : {1, 2, 7, 8, 16, 17, 45, 130})
    for (const auto& [heads, kv_heads, head_dim] :
         {std::tuple{1, 1, 2}, std::tuple{6, 3, 32}, std::tuple{4, 1, 10}, std::tuple{3, 3, 40}})
      EXPECT_LT(largest_difference(fused, reference, random_inputs(time, heads, kv_heads, head_dim)), tolerance)
          << "T " << time << ", heads " << heads << " over " << kv_heads << ", head_dim " << head_dim;
}

TEST(CausalAttention, ReferenceEqualsLibTorchs) {
  torch::manual_seed(2);
  const Function libtorch = [](const auto& in) {
    return torch::scaled_dot_product_attention(in[0].transpose(1, 2), in[1].transpose(1, 2), in[2].transpose(1, 2), {},
                                               0.0, true)
        .transpose(1, 2)
        .flatten(2);
  };
  EXPECT_LT(largest_difference(reference, libtorch, random_inputs(19, 4, 4, 8)), tolerance);
}

TEST(CausalAttention, AWindowHidesWhatIsFurtherBack) {
  torch::manual_seed(5);
  const std::vector<Tensor> inputs = random_inputs(19, 4, 2, 8);
  const Tensor windowed = causal_attention(inputs[0], inputs[1], inputs[2], 5);
  for (const std::int64_t t : {3, 4, 5, 18}) {
    const std::int64_t first = std::max<std::int64_t>(0, t - 4);
    std::vector<Tensor> seen;
    for (const Tensor& input : inputs) seen.push_back(input.narrow(1, first, t - first + 1));
    const Tensor expected = causal_attention(seen[0], seen[1], seen[2]).select(1, t - first);
    EXPECT_LT((windowed.select(1, t) - expected).abs().max().item<double>(), tolerance) << t;
  }
  EXPECT_TRUE(torch::equal(causal_attention(inputs[0], inputs[1], inputs[2], 19),
                           causal_attention(inputs[0], inputs[1], inputs[2])));
}

TEST(CausalAttention, TheFirstPositionsOfASequenceSeeEachOtherAll) {
  torch::manual_seed(6);
  for (const std::int64_t time : {1, 7, 16, 17, 45, 130})
    for (const auto& [first, second] : {std::pair{0, 1}, std::pair{5, 16}, std::pair{17, 130}, std::pair{44, 33}}) {
      const Tensor both_ways = torch::tensor({first, second}, torch::kInt64).clamp_max(time);
      const Function fused_both = [&](const auto& in) { return causal_attention(in[0], in[1], in[2], 0, both_ways); };
      const Function composed = [&](const auto& in) { return ref_causal_attention(in[0], in[1], in[2], 0, both_ways); };
      EXPECT_LT(largest_difference(fused_both, composed, random_inputs(time, 6, 3, 10)), tolerance)
          << "T " << time << ", " << first << " and " << second;
    }
}

TEST(CausalAttention, TheComposedFormOfBothDirectionsIsLibTorchsMask) {
  torch::manual_seed(7);
  const std::int64_t time = 19;
  const Tensor both_ways = torch::tensor({4, 11}, torch::kInt64);
  Tensor mask = torch::zeros({2, 1, time, time}, torch::kBool);
  for (std::int64_t b = 0; b < 2; ++b)
    for (std::int64_t t = 0; t < time; ++t) {
      const std::int64_t whole = both_ways[b].item<std::int64_t>();
      mask[b][0][t].narrow(0, 0, t < whole ? whole : t + 1).fill_(true);
    }
  const Function libtorch = [&](const auto& in) {
    return torch::scaled_dot_product_attention(in[0].transpose(1, 2), in[1].transpose(1, 2), in[2].transpose(1, 2),
                                               mask)
        .transpose(1, 2)
        .flatten(2);
  };
  const Function composed = [&](const auto& in) { return ref_causal_attention(in[0], in[1], in[2], 0, both_ways); };
  EXPECT_LT(largest_difference(composed, libtorch, random_inputs(time, 4, 4, 8)), tolerance);
}

TEST(CausalAttention, StaysFiniteWhereScoresAreFarApart) {
  torch::manual_seed(3);
  std::vector<Tensor> inputs = random_inputs(40, 2, 2, 16);
  inputs[0] *= 100;
  inputs[1] *= 100;
  const Tensor out = causal_attention(inputs[0], inputs[1], inputs[2]);
  EXPECT_TRUE(out.isfinite().all().item<bool>());
  EXPECT_LT((out - ref_causal_attention(inputs[0], inputs[1], inputs[2])).abs().max().item<double>(), 1e-3);
}

TEST(CausalAttention, LooksAtNothingLater) {
  torch::manual_seed(4);
  std::vector<Tensor> inputs = random_inputs(33, 2, 1, 8);
  const Tensor before = causal_attention(inputs[0], inputs[1], inputs[2]).narrow(1, 0, 20).clone();
  inputs[1].narrow(1, 20, 13).fill_(1e30);
  inputs[2].narrow(1, 20, 13).fill_(1e30);
  EXPECT_TRUE(torch::equal(causal_attention(inputs[0], inputs[1], inputs[2]).narrow(1, 0, 20), before));
}

TEST(CausalAttention, TakesHalfPrecisionAndInputsThatAreNotContiguous) {
  torch::manual_seed(5);
  std::vector<Tensor> inputs;
  for (const Tensor& input : random_inputs(21, 4, 2, 16)) inputs.push_back(input.to(torch::kBFloat16));
  EXPECT_LT((fused(inputs) - reference(inputs)).abs().max().item<double>(), tolerance);
  const Function turned = [](const auto& in) {
    return causal_attention(in[0].transpose(0, 1), in[1].transpose(0, 1), in[2].transpose(0, 1));
  };
  const Function turned_reference = [](const auto& in) {
    return ref_causal_attention(in[0].transpose(0, 1), in[1].transpose(0, 1), in[2].transpose(0, 1));
  };
  EXPECT_LT(largest_difference(turned, turned_reference, random_inputs(21, 4, 2, 16)), tolerance);
}

TEST(CausalAttention, DoesNotDependOnTheNumberOfThreads) {
  torch::manual_seed(6);
  const std::vector<Tensor> inputs = random_inputs(29, 6, 2, 12);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor one = fused(inputs);
  at::set_num_threads(3);
  EXPECT_TRUE(torch::equal(fused(inputs), one));
  at::set_num_threads(before);
}

}  // namespace retort::train
