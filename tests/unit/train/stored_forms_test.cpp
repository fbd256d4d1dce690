// The runtime's kernels against LibTorch on the same dequantised weights: every stored form, at sizes that leave tails,
// for prompts of one row and more, and one row at a time. CTest runs it again on lesser instruction sets.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "runtime/decoder/decoder.h"
#include "runtime/measure/synthetic_model.h"
#include "runtime/random_model.h"
#include "train/decoder_module.h"
#include "train/model_weights.h"
#include "train/reference_sampling.h"

namespace retort::train {
namespace {

using runtime::SyntheticWeights;

struct Form {
  const char* name;
  SyntheticWeights weights;
  /// Root mean square of the logits' differences, as a share of theirs. Codes of 15 bits are off by 2^-15 of a row's
  /// largest, bf16 by 2^-9 of each number, int8 by 2^-8 of a row's largest; three layers add them up.
  double tolerance;
};

class StoredForms : public ::testing::TestWithParam<Form> {
 protected:
  static double difference(const std::vector<float>& found, const torch::Tensor& expected) {
    const torch::Tensor other = torch::from_blob(const_cast<float*>(found.data()), expected.sizes());
    return ((other - expected).square().mean().sqrt() / expected.square().mean().sqrt()).item<double>();
  }
};

TEST_P(StoredForms, LogitsAreLibTorchsOnTheDequantisedWeights) {
  for (const bool tied : {true, false}) {
    const runtime::testing::TemporaryFolder folder;
    runtime::write_synthetic_model(folder.path(), runtime::testing::grouped_config("qwen3", tied), GetParam().weights,
                                   9);
    const model::ModelFolder opened(folder.path());
    const std::unique_ptr<DecoderModule> decoder = load_decoder(opened);
    runtime::Decoder served(opened, {});
    torch::NoGradGuard no_grad;
    for (const std::int64_t rows : {1, 2, 3, 8, 33, 65, 130}) {
      std::vector<text::TokenId> tokens;
      for (std::int64_t i = 0; i < rows; ++i) tokens.push_back(static_cast<text::TokenId>((i * 37 + 11) % 331));
      const torch::Tensor expected = decoder->logits(decoder->hidden(pad({tokens})).squeeze(0));
      served.reset();
      EXPECT_LT(difference(served.forward_all(tokens), expected), GetParam().tolerance)
          << rows << " rows at once, head " << (tied ? "tied" : "apart");
      served.reset();
      std::vector<float> pieces;
      for (const text::TokenId& token : tokens) {
        const std::span<const float> logits = served.forward({&token, 1});
        pieces.insert(pieces.end(), logits.begin(), logits.end());
      }
      EXPECT_LT(difference(pieces, expected), GetParam().tolerance)
          << rows << " rows one by one, head " << (tied ? "tied" : "apart");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Synthetic, StoredForms,
                         ::testing::Values(Form{"bf16", SyntheticWeights::bf16, 0.01},
                                           Form{"w8a8", SyntheticWeights::int8, 0.04},
                                           Form{"w8a16", SyntheticWeights::w8a16, 5e-4},
                                           Form{"w4a16", SyntheticWeights::int4, 5e-4},
                                           Form{"w4a16_pure", SyntheticWeights::int4_pure, 5e-4}),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace retort::train
