// Draws against the probabilities that the filters leave, worked out by hand; greedy; what is refused.
#include "runtime/generate/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace retort::runtime {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Logits whose softmax is 0.5, 0.3, 0.15, 0.05, in another order.
const std::vector<float> logits = {std::log(0.15f), std::log(0.5f), std::log(0.05f), std::log(0.3f)};

std::vector<double> shares(SamplingOptions options, const std::vector<float>& from = logits,
                           const std::vector<TokenId>& seen = {}) {
  constexpr int draws = 20000;
  options.seed = 11;
  Sampler sampler(std::move(options));
  std::vector<double> counts(from.size());
  for (int i = 0; i < draws; ++i) counts.at(static_cast<std::size_t>(sampler.next(from, seen))) += 1.0 / draws;
  return counts;
}

/// Five standard deviations of a share of 20,000 draws are 0.018 at most.
void expect_shares(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 0.018) << "token " << i;
    if (expected[i] == 0) {
      EXPECT_EQ(found[i], 0) << "token " << i;
    }
  }
}

TEST(Sampler, GreedyTakesTheLargestAndTheSmallerIdOfEquals) {
  Sampler sampler({});
  EXPECT_EQ(sampler.next(logits, {}), 1);
  EXPECT_EQ(sampler.next(std::vector<float>{1, 3, 3, nan}, {}), 1);
}

TEST(Sampler, DrawsInProportion) {
  expect_shares(shares({.temperature = 1}), {0.15, 0.5, 0.05, 0.3});
}

TEST(Sampler, TemperatureSharpens) {
  // Squares of the probabilities, normalised: their sum is 0.365.
  expect_shares(shares({.temperature = 0.5}), {0.0225 / 0.365, 0.25 / 0.365, 0.0025 / 0.365, 0.09 / 0.365});
}

TEST(Sampler, TopKKeepsTheLikeliest) {
  expect_shares(shares({.temperature = 1, .top_k = 2}), {0, 0.625, 0, 0.375});
  expect_shares(shares({.temperature = 1, .top_k = 1}), {0, 1, 0, 0});
  expect_shares(shares({.temperature = 1, .top_k = 99}), {0.15, 0.5, 0.05, 0.3});
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  expect_shares(shares({.temperature = 1, .top_p = 0.79}), {0, 0.625, 0, 0.375});
  expect_shares(shares({.temperature = 1, .top_p = 0.9}), {0.15 / 0.95, 0.5 / 0.95, 0, 0.3 / 0.95});
  expect_shares(shares({.temperature = 1, .top_p = 1e-9}), {0, 1, 0, 0});
}

TEST(Sampler, FiltersOfALargeVocabularyCutWhereTheyShould) {
  // Probabilities fall by 3 % from token to token, backwards; far more stay than are sorted at first.
  constexpr int size = 1000;
  std::vector<float> falling(size);
  for (int i = 0; i < size; ++i)
    falling[static_cast<std::size_t>(size - 1 - i)] = static_cast<float>(i) * std::log(0.97f);
  const auto last_of = [&falling](SamplingOptions options) {
    options.temperature = 1;
    Sampler sampler(options);
    TokenId lowest = size;
    for (int i = 0; i < 5000; ++i) lowest = std::min(lowest, sampler.next(falling, {}));
    return size - 1 - lowest;
  };
  // 1 − 0.97ⁿ reaches 0.95 at n = 99, and 0.97ⁿ falls below 0.05 there.
  EXPECT_EQ(last_of({.top_p = 0.95}), 98);
  EXPECT_EQ(last_of({.min_p = 0.05}), 98);
  EXPECT_EQ(last_of({.top_k = 70}), 69);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  expect_shares(shares({.temperature = 1, .min_p = 0.25}), {0.15 / 0.95, 0.5 / 0.95, 0, 0.3 / 0.95});
  expect_shares(shares({.temperature = 1, .min_p = 1}), {0, 1, 0, 0});
}

TEST(Sampler, LogitBiasForbidsAndForces) {
  expect_shares(shares({.logit_bias = {{1, -infinity}}, .temperature = 1}), {0.3, 0, 0.1, 0.6});
  Sampler forced({.logit_bias = {{2, 100.0f}}});
  EXPECT_EQ(forced.next(logits, {}), 2);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  Sampler sampler({.repetition_penalty = 2});
  EXPECT_EQ(sampler.next(std::vector<float>{3, 2}, std::vector<TokenId>{0, 0, 0}), 1);  // 1.5 once, not thrice
  EXPECT_EQ(sampler.next(std::vector<float>{-1, -1.5f}, std::vector<TokenId>{0}), 1);   // -2
  EXPECT_EQ(sampler.next(std::vector<float>{3, 1}, std::vector<TokenId>{0}), 0);        // 1.5 is still more
}

TEST(Sampler, LeavesNaNOutAndRefusesNothingElse) {
  expect_shares(shares({.temperature = 1}, {nan, 0, nan, 0}), {0, 0.5, 0, 0.5});
  for (const double temperature : {0.0, 1.0}) {
    Sampler sampler({.temperature = temperature});
    EXPECT_THROW(sampler.next(std::vector<float>{nan, nan}, {}), std::runtime_error);
  }
}

TEST(Sampler, TheSeedDecides) {
  const auto draws = [](std::uint64_t seed) {
    Sampler sampler({.temperature = 1, .seed = seed});
    std::vector<TokenId> tokens;
    for (int i = 0; i < 50; ++i) tokens.push_back(sampler.next(logits, {}));
    return tokens;
  };
  EXPECT_EQ(draws(3), draws(3));
  EXPECT_NE(draws(3), draws(4));
}

TEST(Sampler, RefusesOptionsByName) {
  const auto error = [](const SamplingOptions& options) -> std::string {
    try {
      Sampler(options).next(logits, {});
    } catch (const std::invalid_argument& caught) {
      return caught.what();
    }
    return "";
  };
  EXPECT_EQ(error({.temperature = -1}).find("temperature: expected a number of at least 0"), 0U);
  EXPECT_EQ(error({.temperature = nan}).find("temperature"), 0U);
  EXPECT_EQ(error({.top_k = -1}).find("top_k"), 0U);
  EXPECT_EQ(error({.top_p = 0}).find("top_p"), 0U);
  EXPECT_EQ(error({.top_p = 1.5}).find("top_p"), 0U);
  EXPECT_EQ(error({.min_p = 2}).find("min_p"), 0U);
  EXPECT_EQ(error({.repetition_penalty = 0}).find("repetition_penalty"), 0U);
  EXPECT_EQ(error({.logit_bias = {{4, 1.0f}}}).find("logit_bias: expected a token from 0 to 3, found 4"), 0U);
  EXPECT_EQ(error({.top_k = 3}), "");
}

}  // namespace
}  // namespace retort::runtime
