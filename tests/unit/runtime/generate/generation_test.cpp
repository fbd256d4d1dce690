// Generation: greedily against a plain loop over the reference model, with draws, and where it stops.
#include "runtime/generate/generation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "random_model.h"
#include "runtime/decoder/reference.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;

constexpr TokenId kNoEnd = -1;

class Greedy : public ::testing::Test {
 protected:
  Greedy() { testing::write_model(folder_.path(), config_, testing::random_weights(config_, 9), Storage::f32); }

  std::vector<TokenId> by_reference(std::int64_t count) const {
    const ReferenceModel reference(model::ModelFolder(folder_.path()), ReferenceModel::Activations::f32);
    std::vector<TokenId> tokens = prompt_;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::vector<float> logits = reference.forward_all(tokens);
      const auto last = logits.end() - config_.vocabulary_size;
      tokens.push_back(static_cast<TokenId>(std::max_element(last, logits.end()) - last));
    }
    return {tokens.begin() + static_cast<std::ptrdiff_t>(prompt_.size()), tokens.end()};
  }

  TemporaryFolder folder_;
  model::ModelConfig config_ = testing::awkward_config();
  std::vector<TokenId> prompt_{3, 1, 4, 1, 5};
};

TEST_F(Greedy, EqualsAPlainLoopOverTheReference) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const Generation generation = generate_greedy(decoder, prompt_, kNoEnd, 12);
  EXPECT_EQ(generation.tokens, by_reference(12));
  EXPECT_EQ(generate_greedy(decoder, prompt_, kNoEnd, 12).tokens, generation.tokens);  // starts from an empty cache
}

TEST_F(Greedy, StopsWithTheEndToken) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> all = by_reference(6);
  const TokenId end = all[3];
  const auto first = std::find(all.begin(), all.end(), end);
  EXPECT_EQ(generate_greedy(decoder, prompt_, end, 100).tokens, std::vector<TokenId>(all.begin(), first + 1));
}

TEST_F(Greedy, StopsWhenTheCacheIsFull) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {.context = 8});
  EXPECT_EQ(generate_greedy(decoder, prompt_, kNoEnd, 100).tokens, by_reference(4));  // 5 + 3 fed back, one more
  EXPECT_EQ(decoder.position(), 8);
}

TEST_F(Greedy, StopsWithAnyOfSeveralEndsAndWhenAsked) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> all = by_reference(6);
  const auto first =
      std::find_if(all.begin(), all.end(), [&](TokenId token) { return token == all[2] || token == all[4]; });
  EXPECT_EQ(generate(decoder, prompt_, {.ends = {all[4], all[2]}}).tokens,
            std::vector<TokenId>(all.begin(), first + 1));
  std::vector<TokenId> seen;
  const auto three = [&seen](TokenId token) {
    seen.push_back(token);
    return seen.size() < 3;
  };
  EXPECT_EQ(generate(decoder, prompt_, {.token = three}).tokens, seen);
  EXPECT_EQ(seen, std::vector<TokenId>(all.begin(), all.begin() + 3));
}

TEST_F(Greedy, DrawsFollowTheSeed) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const auto drawn = [&](std::uint64_t seed) {
    return generate(decoder, prompt_, {.max_new_tokens = 20, .sampling = {.temperature = 1, .seed = seed}}).tokens;
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
  EXPECT_EQ(generate(decoder, prompt_, {.max_new_tokens = 6, .sampling = {.temperature = 1, .top_k = 1}}).tokens,
            by_reference(6));
}

TEST_F(Greedy, BatchesGiveWhatEachPromptGivesAlone) {
  const model::ModelFolder model(folder_.path());
  Decoder alone(model, {}), together(model, {.sequences = 3});
  std::vector<std::vector<TokenId>> prompts;
  for (TokenId i = 0; i < 8; ++i) prompts.emplace_back(static_cast<std::size_t>(1 + 5 * i), i + 1);
  GenerationOptions options{.ends = {by_reference(6)[3]}, .max_new_tokens = 12};
  const auto expect_equal = [&] {
    const std::vector<Generation> found = generate_batch(together, prompts, options);
    ASSERT_EQ(found.size(), prompts.size());
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      GenerationOptions own = options;
      own.sampling.seed += i;
      EXPECT_EQ(found[i].tokens, generate(alone, prompts[i], own).tokens) << "prompt " << i;
    }
  };
  expect_equal();
  options.sampling = {.temperature = 1, .seed = 5};
  expect_equal();
  options.max_new_tokens = 1;
  expect_equal();
  options.max_new_tokens = 0;
  expect_equal();
  EXPECT_TRUE(generate_batch(together, {}, options).empty());
  prompts.emplace_back();
  EXPECT_THROW(generate_batch(together, prompts, options), std::invalid_argument);
}

TEST_F(Greedy, TellsLogProbabilitiesOfTheModelItself) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const Generation plain = generate(
      decoder, prompt_, {.max_new_tokens = 5, .sampling = {.logit_bias = {{7, 100.0f}}}, .log_probabilities = 2});
  EXPECT_EQ(plain.tokens, std::vector<TokenId>(5, 7));
  ASSERT_EQ(plain.log_probabilities.size(), 5U);
  std::vector<TokenId> tokens = prompt_;
  for (const LogProbabilities& found : plain.log_probabilities) {
    decoder.reset();
    const std::vector<float> all = decoder.forward_all(tokens);
    const LogProbabilities expected =
        log_probabilities(std::span(all).last(static_cast<std::size_t>(config_.vocabulary_size)), 7, 2);
    EXPECT_NEAR(found.chosen.log_probability, expected.chosen.log_probability, 1e-4);
    ASSERT_EQ(found.top.size(), 2U);
    EXPECT_EQ(found.top[0].token, expected.top[0].token);
    EXPECT_NE(found.top[0].token, 7);  // the bias is not the model's
    tokens.push_back(7);
  }
  EXPECT_TRUE(generate(decoder, prompt_, {.max_new_tokens = 2}).log_probabilities.empty());
}

TEST_F(Greedy, LogProbabilitiesAreNotThoseOfWhatFiltersLeave) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  for (const SamplingOptions& filtered :
       {SamplingOptions{.temperature = 0.7, .top_k = 1}, SamplingOptions{.temperature = 0.7, .top_p = 1e-6}}) {
    decoder.reset();
    const Generation only =
        generate(decoder, prompt_, {.max_new_tokens = 1, .sampling = filtered, .log_probabilities = 1});
    ASSERT_EQ(only.log_probabilities.size(), 1U);
    decoder.reset();
    const std::vector<float> all = decoder.forward_all(prompt_);
    const auto logits = std::span(all).last(static_cast<std::size_t>(config_.vocabulary_size));
    EXPECT_NEAR(only.log_probabilities[0].chosen.log_probability,
                log_probabilities(logits, only.tokens[0], 1).chosen.log_probability, 1e-4);
    EXPECT_LT(only.log_probabilities[0].chosen.log_probability, -0.1) << "1 of one token is 0";
  }
}

TEST_F(Greedy, AsksForNothingGivesNothing) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  EXPECT_TRUE(generate_greedy(decoder, prompt_, kNoEnd, 0).tokens.empty());
}

TEST_F(Greedy, RefusesAPromptThatDoesNotFit) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {.context = 4});
  EXPECT_THROW(generate_greedy(decoder, prompt_, kNoEnd, 5), std::invalid_argument);
  EXPECT_THROW(generate_greedy(decoder, {}, kNoEnd, 5), std::invalid_argument);
}

TEST_F(Greedy, TiesGoToTheSmallerId) {
  testing::Weights weights = testing::random_weights(config_, 9);
  for (float& value : weights.at("model.embed_tokens.weight")) value = 0.5f;  // every logit the same
  const TemporaryFolder folder;
  testing::write_model(folder.path(), config_, weights, Storage::f32);
  const model::ModelFolder model(folder.path());
  Decoder decoder(model, {});
  EXPECT_EQ(generate_greedy(decoder, prompt_, kNoEnd, 2).tokens, (std::vector<TokenId>{0, 0}));
}

}  // namespace
}  // namespace retort::runtime
