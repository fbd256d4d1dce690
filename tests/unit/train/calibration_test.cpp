// Calibration signals against hand-computed numbers.
#include "train/calibration.h"

#include <gtest/gtest.h>
#include <retort/abi/pruner.h>
#include <torch/types.h>

#include "runtime/random_model.h"

namespace retort::train {

TEST(Calibration, NormIsMinitrons) {
  // a[position, sample, channel] = [[[1,−2,0],[3,0,1]],[[0,2,−4],[2,2,0]]] → [2.549510, 2.236068, 2.061553]
  const torch::Tensor a = torch::tensor({1.0f, -2.0f, 0.0f, 3.0f, 0.0f, 1.0f, 0.0f, 2.0f, -4.0f, 2.0f, 2.0f, 0.0f})
                              .view({2, 2, 3})
                              .transpose(0, 1);
  const torch::Tensor norm = squared_mean_absolute(a, torch::tensor({2, 2}, torch::kInt64)).sqrt();
  EXPECT_NEAR(norm[0].item<double>(), 2.549510, 1e-6);
  EXPECT_NEAR(norm[1].item<double>(), 2.236068, 1e-6);
  EXPECT_NEAR(norm[2].item<double>(), 2.061553, 1e-6);
}

TEST(Calibration, PaddingDoesNotCount) {
  torch::Tensor a = torch::ones({1, 4, 2});
  a.narrow(1, 2, 2).fill_(100);
  const torch::Tensor squared = squared_mean_absolute(a, torch::tensor({2}, torch::kInt64));
  EXPECT_FLOAT_EQ(squared[0].item<float>(), 1.0f);
}

TEST(Calibration, SignalsHaveTheModelsShape) {
  const model::ModelConfig config = runtime::testing::awkward_config();
  DecoderModule decoder(config, 1);
  const std::vector<Sequence> sequences = {{{1, 2, 3}, {4, 5}, 0}, {{1, 6}, {4}, 1}};
  const PruneSignalTensors signals =
      prune_signals(decoder, sequences,
                    RETORT_SIGNAL_HIDDEN_NORMS | RETORT_SIGNAL_FEED_FORWARD_NORMS | RETORT_SIGNAL_HEAD_NORMS |
                        RETORT_SIGNAL_BLOCK_INFLUENCE | RETORT_SIGNAL_TOKEN_COUNTS);
  EXPECT_EQ(signals.hidden_norms.sizes(), torch::IntArrayRef({config.hidden_size}));
  EXPECT_EQ(signals.feed_forward_norms.sizes(), torch::IntArrayRef({config.layers, config.intermediate_size}));
  EXPECT_EQ(signals.head_norms.sizes(), torch::IntArrayRef({config.layers, config.heads}));
  EXPECT_TRUE((signals.block_influence >= 0).all().item<bool>());
  EXPECT_TRUE((signals.block_influence <= 2).all().item<bool>());
  EXPECT_EQ(signals.token_counts[1].item<float>(), 2);
  EXPECT_EQ(signals.token_counts[4].item<float>(), 2);
  EXPECT_EQ(signals.token_counts[7].item<float>(), 0);
}

TEST(Calibration, BlockSimilarityComparesEveryInputWithEveryLaterOutput) {
  const model::ModelConfig config = runtime::testing::awkward_config();
  DecoderModule decoder(config, 1);
  const std::vector<Sequence> sequences = {{{1, 2, 3}, {4, 5}, 0}, {{1, 6}, {}, 1}};
  const PruneSignalTensors signals =
      prune_signals(decoder, sequences, RETORT_SIGNAL_BLOCK_SIMILARITY | RETORT_SIGNAL_BLOCK_INFLUENCE);
  // Each sequence on its own, without padding, position by position.
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> inputs(static_cast<std::size_t>(config.layers)), outputs(inputs);
  decoder.observer = [&](Site site, std::int64_t layer, const torch::Tensor& a) {
    if (site == Site::layer_input) inputs[static_cast<std::size_t>(layer)] = a[0];
    if (site == Site::layer_output) outputs[static_cast<std::size_t>(layer)] = a[0];
  };
  std::vector<double> sums(inputs.size() * inputs.size());
  for (const std::vector<std::int64_t>& ids : {std::vector<std::int64_t>{1, 2, 3, 4, 5}, {1, 6}}) {
    decoder.hidden(torch::tensor(ids, torch::kInt64).unsqueeze(0));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      for (std::size_t j = i; j < inputs.size(); ++j)
        for (std::size_t t = 0; t < ids.size(); ++t) {
          const torch::Tensor a = inputs[i][static_cast<std::int64_t>(t)], b = outputs[j][static_cast<std::int64_t>(t)];
          sums[i * inputs.size() + j] += a.dot(b).item<double>() / (a.norm() * b.norm()).item<double>();
        }
  }
  for (std::int64_t i = 0; i < config.layers; ++i)
    for (std::int64_t j = 0; j < config.layers; ++j)
      EXPECT_NEAR(signals.block_similarity[i][j].item<double>(),
                  j < i ? 0 : sums[static_cast<std::size_t>(i * config.layers + j)] / 7, 1e-5)
          << i << " " << j;
  for (std::int64_t i = 0; i < config.layers; ++i)
    EXPECT_NEAR(signals.block_influence[i].item<double>(), 1 - signals.block_similarity[i][i].item<double>(), 1e-5);
}

TEST(Calibration, NormsOfSeveralBatchesAreThoseOfSequencesOnTheirOwn) {
  const model::ModelConfig config = runtime::testing::awkward_config();
  DecoderModule decoder(config, 1);
  std::vector<Sequence> sequences;
  for (std::int64_t i = 0; i < 300; ++i) {  // lengths 3 to 30, more positions than a batch holds
    Sequence sequence;
    for (std::int64_t t = 0; t < 3 + i % 28; ++t)
      sequence.prompt.push_back(static_cast<text::TokenId>((7 * i + 3 * t) % config.vocabulary_size));
    sequences.push_back(sequence);
  }
  const PruneSignalTensors signals = prune_signals(
      decoder, sequences, RETORT_SIGNAL_HIDDEN_NORMS | RETORT_SIGNAL_FEED_FORWARD_NORMS | RETORT_SIGNAL_HEAD_NORMS);
  torch::NoGradGuard no_grad;
  torch::Tensor hidden = torch::zeros({config.hidden_size}, torch::kFloat64);
  torch::Tensor wide = torch::zeros({config.layers, config.intermediate_size}, torch::kFloat64);
  torch::Tensor heads = torch::zeros({config.layers, config.heads}, torch::kFloat64);
  decoder.observer = [&](Site site, std::int64_t layer, const torch::Tensor& a) {
    const torch::Tensor mean = a[0].abs().to(torch::kFloat64).mean(0);
    if (site == Site::attention_input || site == Site::feed_forward_input || site == Site::head_input)
      hidden += mean.square();
    if (site == Site::feed_forward_hidden) wide[layer] += mean.square();
    if (site == Site::attention_output)
      heads[layer] +=
          a[0].view({a.size(1), config.heads, config.head_dim}).to(torch::kFloat64).norm(2, -1).mean(0).square();
  };
  for (const Sequence& sequence : sequences)
    decoder.hidden(
        torch::tensor(std::vector<std::int64_t>(sequence.prompt.begin(), sequence.prompt.end())).unsqueeze(0));
  const auto expect_near = [](const torch::Tensor& found, const torch::Tensor& squares) {
    EXPECT_LT(((found.to(torch::kFloat64) - squares.sqrt()).abs() / squares.sqrt()).max().item<double>(), 1e-5);
  };
  expect_near(signals.hidden_norms, hidden);
  expect_near(signals.feed_forward_norms, wide);
  expect_near(signals.head_norms, heads);
}

}  // namespace retort::train
