// Models with random weights of known shapes, and how speed is counted. Speeds themselves are not tested.
#include "runtime/measure/speed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "random_model.h"
#include "runtime/measure/synthetic_model.h"

namespace retort::runtime {
namespace {

TEST(SyntheticModel, KnownShapesHaveThePublishedNumberOfParameters) {
  // From the model cards; Qwen2.5-0.5B and SmolLM2-135M as counted in their safetensors headers.
  EXPECT_EQ(synthetic_config("qwen2.5-0.5b").parameters(), 494'032'768);
  EXPECT_EQ(synthetic_config("smollm2-135m").parameters(), 134'515'008);
  EXPECT_EQ(synthetic_config("smollm2-360m").parameters(), 361'821'120);
  EXPECT_EQ(synthetic_config("tinyllama-1.1b").parameters(), 1'100'048'384);
  EXPECT_EQ(synthetic_shapes().size(), 6U);
  for (const std::string& shape : synthetic_shapes())
    EXPECT_EQ(model::model_config_from_json(to_json(synthetic_config(shape)), shape), synthetic_config(shape));
  EXPECT_THROW(synthetic_config("qwen"), std::invalid_argument);
}

TEST(SyntheticModel, RunsInEveryTypeWithActivationsOfOrderOne) {
  model::ModelConfig config = synthetic_config("smollm2-135m");
  config.vocabulary_size = 300;
  config.layers = 2;
  for (const auto& [weights, bits] : {std::pair(SyntheticWeights::bf16, 0), std::pair(SyntheticWeights::int8, 8),
                                      std::pair(SyntheticWeights::w8a16, 8), std::pair(SyntheticWeights::int4, 4),
                                      std::pair(SyntheticWeights::int4_pure, 4)}) {
    const testing::TemporaryFolder folder;
    write_synthetic_model(folder.path(), config, weights, 1);
    const model::ModelFolder model(folder.path());
    EXPECT_EQ(model.linear("model.layers.1.mlp.up_proj").bits, bits);
    EXPECT_EQ(model.head().bits, weights == SyntheticWeights::int4_pure ? 4 : bits == 0 ? 0 : 8);
    Decoder decoder(model, {.context = 64});
    const std::vector<TokenId> tokens{1, 2, 3};
    const std::span<const float> logits = decoder.forward(tokens);
    double squares = 0;
    for (const float logit : logits) squares += double{logit} * double{logit};
    const double spread = std::sqrt(squares / static_cast<double>(logits.size()));
    EXPECT_GT(spread, 0.3) << bits;
    EXPECT_LT(spread, 3) << bits;
  }
}

TEST(Speed, CountsTokensOfAllSequences) {
  const testing::TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  testing::write_model(folder.path(), config, testing::random_weights(config, 3), testing::Storage::f32);
  const model::ModelFolder model(folder.path());
  Decoder decoder(model, {.context = 64, .sequences = 3});
  const Speed prompt = measure(decoder, {.prompt = 40}, 3);
  EXPECT_EQ(prompt.samples.size(), 3U);
  EXPECT_GT(prompt.median(), 0);
  EXPECT_EQ(decoder.position(), 40);
  measure(decoder, {.generate = 10, .batch = 3, .depth = 20}, 1);
  for (std::int64_t sequence = 0; sequence < 3; ++sequence) EXPECT_EQ(decoder.position(sequence), 30);
  EXPECT_TRUE(measure(decoder, {.prompt = 4}, 3, [] { return false; }).samples.empty());
  EXPECT_THROW(measure(decoder, {.prompt = 65}, 1), std::invalid_argument);
  EXPECT_THROW(measure(decoder, {.generate = 1, .batch = 4}, 1), std::invalid_argument);
}

TEST(Speed, AModelThatReadsPromptsInBothDirectionsGetsWholeOnes) {
  const testing::TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config("prefix");
  testing::write_model(folder.path(), config, testing::random_weights(config, 1), testing::Storage::f32);
  Decoder decoder(model::ModelFolder(folder.path()), {});
  for (const SpeedTest& test : {SpeedTest{.prompt = 40}, SpeedTest{.prompt = 600}, SpeedTest{.generate = 4},
                                SpeedTest{.prompt = 8, .depth = 520}, SpeedTest{.generate = 4, .depth = 1}})
    EXPECT_EQ(measure(decoder, test, 2, {}).samples.size(), 2U) << name_of(test);
}

TEST(Speed, NamesAndStatistics) {
  EXPECT_EQ(name_of({.prompt = 512}), "pp512");
  EXPECT_EQ(name_of({.generate = 128}), "tg128");
  EXPECT_EQ(name_of({.generate = 128, .batch = 8, .depth = 512}), "tg128 x8 @ d512");
  const Speed speed{{1, 2, 6, 3}};
  EXPECT_EQ(speed.median(), 2.5);
  EXPECT_EQ(speed.mean(), 3);
  EXPECT_NEAR(speed.deviation(), std::sqrt(14.0 / 3), 1e-12);
  EXPECT_EQ(Speed{}.median(), 0);
}

TEST(Speed, WeightsOfATokenLeaveOutAnEmbeddingThatIsNoHead) {
  for (const bool tied : {true, false}) {
    const testing::TemporaryFolder folder;
    model::ModelConfig config = testing::awkward_config();
    config.tie_word_embeddings = tied;
    testing::write_model(folder.path(), config, testing::random_weights(config, 3), testing::Storage::f32);
    const model::ModelFolder model(folder.path());
    const std::int64_t embedding = 4 * config.vocabulary_size * config.hidden_size;
    EXPECT_EQ(weight_bytes_per_token(model), model.weight_bytes() - (tied ? 0 : embedding));
  }
}

}  // namespace
}  // namespace retort::runtime
