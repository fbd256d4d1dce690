// Rollouts against one sequence decoded alone with the same draws, and new weights against a new engine.
#include "runtime/generate/rollout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "random_model.h"

namespace retort::runtime {
namespace {

using testing::awkward_config;
using testing::random_weights;
using testing::Weights;
using Prompts = std::vector<std::vector<TokenId>>;

FloatWeights lend(const Weights& weights) {
  return [&weights](const std::string& name) { return std::span<const float>(weights.at(name)); };
}

/// Prompts of 1 to 70 tokens: within a block, a whole one, several.
Prompts some_prompts(std::int64_t count) {
  Prompts prompts;
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<TokenId> prompt;
    for (std::int64_t t = 0; t < (i * 29 + 31) % 70 + 1; ++t)
      prompt.push_back(static_cast<TokenId>((t * 17 + i * 5) % 131));
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

void expect_same(const std::vector<Rollout>& a, const std::vector<Rollout>& b, float tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t row = 0; row < a.size(); ++row) {
    EXPECT_EQ(a[row].tokens, b[row].tokens) << "row " << row;
    EXPECT_EQ(a[row].finished, b[row].finished);
    ASSERT_EQ(a[row].log_probabilities.size(), b[row].log_probabilities.size());
    for (std::size_t t = 0; t < a[row].log_probabilities.size(); ++t)
      EXPECT_NEAR(a[row].log_probabilities[t], b[row].log_probabilities[t], tolerance) << "row " << row << " " << t;
  }
}

/// Row by row: all logits of prompt and response at once, drawn from with plain loops.
void expect_decoded_alone(Decoder& decoder, const Prompts& prompts, const RolloutOptions& options,
                          const std::vector<Rollout>& rollouts) {
  const auto vocabulary = static_cast<std::size_t>(decoder.config().vocabulary_size);
  const auto group = static_cast<std::size_t>(options.group_size);
  ASSERT_EQ(rollouts.size(), prompts.size() * group);
  std::int64_t finished = 0;
  for (std::size_t row = 0; row < rollouts.size(); ++row) {
    const Rollout& rollout = rollouts[row];
    ASSERT_FALSE(rollout.tokens.empty());
    ASSERT_EQ(rollout.tokens.size(), rollout.log_probabilities.size());
    decoder.reset();
    std::span<const float> logits = decoder.forward(prompts[row / group]);
    for (std::size_t t = 0; t < rollout.tokens.size(); ++t) {
      const DrawnToken expected = ref_draw_token(logits, options.temperature, draw_number(options.seed, row, t));
      ASSERT_EQ(rollout.tokens[t], expected.token) << "row " << row << ", token " << t;
      EXPECT_NEAR(rollout.log_probabilities[t], expected.log_probability, 1e-5) << "row " << row << ", token " << t;
      const bool last = t + 1 == rollout.tokens.size();
      EXPECT_TRUE(last || expected.token != options.end_token);
      if (!last) logits = decoder.forward({&rollout.tokens[t], 1});
      ASSERT_EQ(logits.size(), vocabulary);
    }
    EXPECT_EQ(rollout.finished, rollout.tokens.back() == options.end_token);
    EXPECT_TRUE(rollout.finished || static_cast<std::int64_t>(rollout.tokens.size()) == options.max_new_tokens);
    finished += rollout.finished ? 1 : 0;
  }
  if (options.end_token >= 0) {
    EXPECT_GT(finished, 0);
    EXPECT_LT(finished, static_cast<std::int64_t>(rollouts.size()));
  }
}

class Rollouts : public ::testing::TestWithParam<std::string> {
 protected:
  model::ModelConfig config = GetParam() == "llama" ? awkward_config() : awkward_config(GetParam());
  Weights weights = random_weights(config, 5);
};

TEST_P(Rollouts, AreWhatEachSequenceGivesAlone) {
  const testing::TemporaryFolder folder;
  testing::write_model(folder.path() / "m", config, weights, testing::Storage::f32);
  const model::ModelFolder stored(folder.path() / "m");
  Decoder alone(stored, {.kv_cache = KvType::f32});
  RolloutEngine engine(config, lend(weights), {.sequences = 7});
  const Prompts prompts = some_prompts(5);
  for (const double temperature : {0.0, 0.7, 1.3}) {
    const RolloutOptions options{
        .temperature = temperature, .max_new_tokens = 24, .end_token = 3, .group_size = 5, .seed = 77};
    const std::vector<Rollout> rollouts = engine.sample(prompts, options);
    if (temperature > 0)
      expect_decoded_alone(alone, prompts, options, rollouts);
    else  // an end token that greedy decoding does not meet would be no test
      expect_decoded_alone(alone, prompts, {.temperature = 0, .max_new_tokens = 24, .group_size = 5, .seed = 77},
                           engine.sample(prompts, {.temperature = 0, .max_new_tokens = 24, .group_size = 5}));
  }
}

TEST_P(Rollouts, DoNotDependOnWhatIsDecodedBeside) {
  const Prompts prompts = some_prompts(6);
  const RolloutOptions options{.temperature = 1, .max_new_tokens = 20, .end_token = 9, .group_size = 4, .seed = 12};
  RolloutEngine wide(config, lend(weights), {.sequences = 64});
  const std::vector<Rollout> expected = wide.sample(prompts, options);
  expect_same(wide.sample(prompts, options), expected, 0);
  for (const std::int64_t sequences : {1, 3, 16}) {
    RolloutEngine engine(config, lend(weights), {.threads = sequences == 16 ? 2 : 1, .sequences = sequences});
    expect_same(engine.sample(prompts, options), expected, 1e-5f);
  }
  // A part of the prompts, by their numbers among all.
  const std::vector<std::uint64_t> numbers = {2, 3, 4};
  RolloutOptions of_part = options;
  of_part.numbers = numbers;
  expect_same(wide.sample(std::span(prompts).subspan(2, 3), of_part), {expected.begin() + 8, expected.begin() + 20},
              1e-5f);
  EXPECT_THROW(wide.sample(prompts, of_part), std::invalid_argument);
  // Other seeds and other rows draw otherwise.
  RolloutOptions other = options;
  other.seed = 13;
  const std::vector<Rollout> different = wide.sample(prompts, other);
  std::size_t same = 0;
  for (std::size_t row = 0; row < different.size(); ++row) same += different[row].tokens == expected[row].tokens;
  EXPECT_LT(same, different.size() / 4);
  EXPECT_NE(expected[0].tokens, expected[1].tokens);
}

TEST_P(Rollouts, NewWeightsAreThoseOfANewEngine) {
  const Prompts prompts = some_prompts(6);
  const Weights others = random_weights(config, 6);
  for (const RolloutPrecision precision : {RolloutPrecision::f32, RolloutPrecision::bf16}) {
    const RolloutEngineOptions options{.threads = 2, .sequences = 8, .precision = precision};
    RolloutEngine engine(config, lend(weights), options), fresh(config, lend(others), options);
    const RolloutOptions sampling{.max_new_tokens = 12, .group_size = 2, .seed = 1};
    const std::vector<Rollout> before = engine.sample(prompts, sampling);
    engine.update_weights(lend(others));
    const std::vector<Rollout> after = engine.sample(prompts, sampling), expected = fresh.sample(prompts, sampling);
    expect_same(after, expected, 0);
    EXPECT_NE(before[0].log_probabilities, after[0].log_probabilities);
    // Bit by bit, not only where tokens were drawn.
    const std::vector<float> logits = engine.decoder().forward_all(prompts[3], 1);
    const std::vector<float> wanted = fresh.decoder().forward_all(prompts[3], 1);
    ASSERT_EQ(logits.size(), wanted.size());
    EXPECT_EQ(std::memcmp(logits.data(), wanted.data(), logits.size() * sizeof(float)), 0);
    engine.update_weights(lend(weights));
    expect_same(engine.sample(prompts, sampling), before, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Rollouts, ::testing::Values("llama", "qwen2", "qwen3", "llama3", "gemma3"),
                         [](const auto& family) { return family.param; });

TEST(Rollout, Bf16RoundsTheWeights) {
  const model::ModelConfig config = awkward_config();
  const Weights weights = random_weights(config, 5);
  Weights rounded = weights;
  for (const auto& [name, shape] : model::tensor_shapes(config))
    if (shape.size() == 2)
      for (float& value : rounded[name]) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, 4);
        bits = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) & 0xFFFF0000U;
        std::memcpy(&value, &bits, 4);
      }
  const RolloutEngineOptions bf16{.precision = RolloutPrecision::bf16};
  RolloutEngine engine(config, lend(weights), bf16), same(config, lend(rounded), bf16);
  RolloutEngine exact(config, lend(rounded), {});
  const Prompts prompts = some_prompts(1);
  const std::vector<float> a = engine.decoder().forward_all(prompts[0]), b = same.decoder().forward_all(prompts[0]);
  const std::vector<float> c = exact.decoder().forward_all(prompts[0]);
  EXPECT_EQ(a, b);
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(double{a[i]} - c[i]));
  EXPECT_LT(worst, 0.1);  // activations are rounded to 8 bits too where the processor multiplies bf16
}

TEST(Rollout, IsCutWhereTheContextEnds) {
  const model::ModelConfig config = awkward_config();
  const Weights weights = random_weights(config, 5);
  RolloutEngine engine(config, lend(weights), {.sequences = 3, .context = 40});
  const Prompts prompts{std::vector<TokenId>(39, 5), std::vector<TokenId>(30, 6)};
  const std::vector<Rollout> rollouts = engine.sample(prompts, {.max_new_tokens = 100, .group_size = 2});
  EXPECT_EQ(rollouts[0].tokens.size(), 1U);
  EXPECT_EQ(rollouts[3].tokens.size(), 10U);
  EXPECT_FALSE(rollouts[3].finished);
  EXPECT_TRUE(engine.sample({}, {}).empty());
}

template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  } catch (const std::runtime_error& error) {
    return std::string("world: ") + error.what();
  }
  return "none";
}

TEST(Rollout, RefusesWithExpectedAndFound) {
  const model::ModelConfig config = awkward_config();
  Weights weights = random_weights(config, 5);
  RolloutEngine engine(config, lend(weights), {.sequences = 3, .context = 40});
  const auto sampled = [&](const std::vector<TokenId>& prompt, RolloutOptions options) {
    return error_of([&] { engine.sample(Prompts{{1, 2}, prompt}, options); });
  };
  EXPECT_EQ(sampled({}, {}), "prompt 1: expected 1 to 39 tokens, which leave room for one more, found 0");
  EXPECT_EQ(sampled(std::vector<TokenId>(40, 1), {}),
            "prompt 1: expected 1 to 39 tokens, which leave room for one more, found 40");
  EXPECT_EQ(sampled({131}, {}), "prompt 1: expected tokens from 0 to 130, found 131");
  EXPECT_EQ(sampled({1}, {.max_new_tokens = 0}), "max_new_tokens: expected at least 1, found 0");
  EXPECT_EQ(sampled({1}, {.group_size = 0}), "group_size: expected at least 1, found 0");
  EXPECT_TRUE(sampled({1}, {.temperature = -1}).starts_with("temperature: expected 0 to 1000000, found -1"));
  EXPECT_TRUE(sampled({1}, {.temperature = std::nan("")}).starts_with("temperature: expected 0 to 1000000"));
  EXPECT_EQ(error_of([&] { RolloutEngine bad(config, lend(weights), {.sequences = 65}); }),
            "sequences: expected 1 to 64, found 65");
  weights.at("model.layers.1.mlp.up_proj.weight").pop_back();
  EXPECT_EQ(error_of([&] { engine.update_weights(lend(weights)); }),
            "rollout weights: tensor 'model.layers.1.mlp.up_proj.weight': expected 6790 values, found 6789");
  weights.at("model.layers.1.mlp.up_proj.weight").push_back(std::numeric_limits<float>::infinity());
  EXPECT_TRUE(error_of([&] { engine.update_weights(lend(weights)); })
                  .starts_with("world: rollout weights: tensor 'model.layers.1.mlp.up_proj.weight', element 6789 is "
                               "infinite"));
}

TEST(Rollout, QuantisedWeightsAreNotReplaced) {
  const model::ModelConfig config = testing::grouped_config("qwen3", true);
  const Weights weights = random_weights(config, 5);
  const testing::TemporaryFolder folder;
  testing::write_model(folder.path() / "f32", config, weights, testing::Storage::f32);
  testing::write_model(folder.path() / "int8", config, weights, testing::Storage::int8);
  const model::ModelFolder floats(folder.path() / "f32"), codes(folder.path() / "int8");
  Decoder decoder(codes, {});
  EXPECT_TRUE(error_of([&] { decoder.update_weights(floats); }).ends_with("as in use, found f32 [384,192]"));
  EXPECT_TRUE(error_of([&] { decoder.update_weights(codes); }).find("found quantised ones in use") !=
              std::string::npos);
}

}  // namespace
}  // namespace retort::runtime
