// rl.grpo: published numbers, numbers computed in float64 outside this project (Python, math.exp), central differences.
#include "grpo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "reference_losses.h"

namespace retort::golden {

namespace {

using rl::Aggregation;
using rl::GrpoOptions;
using rl::TokenLoss;

std::vector<double> advantages_of(const GrpoOptions& options, const std::vector<float>& rewards) {
  std::vector<double> advantages(rewards.size());
  rl::group_advantages(options, rewards, advantages);
  return advantages;
}

TEST(GrpoGolden, AdvantagesOfFourSamples) {
  for (const auto& [epsilon, expected] : {std::pair(1e-4, .865875), std::pair(1e-6, .866024)}) {
    GrpoOptions options;
    options.epsilon = epsilon;
    const auto found = advantages_of(options, {1, 0, 0, 1});
    EXPECT_NEAR(found[0], expected, 1e-6);
    EXPECT_NEAR(found[1], -expected, 1e-6);
    EXPECT_NEAR(found[2], -expected, 1e-6);
    EXPECT_NEAR(found[3], expected, 1e-6);
  }
}

TEST(GrpoGolden, AdvantagesOfEightSamplesOneMalformed) {
  const double expected[] = {-0.190911492, 0.954557459,  -2.100026409, 0.190911492,
                             0.190911492,  -0.572734475, 0.954557459,  0.572734475};
  const auto found = advantages_of({}, {.25f, 1, -1, .5f, .5f, 0, 1, .75f});
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(found[i], expected[i], 1e-8) << i;
}

TEST(GrpoGolden, DrGrpoDoesNotDivide) {
  GrpoOptions options;
  options.scale = rl::Scale::none;
  EXPECT_EQ(advantages_of(options, {1, 0, 0, 1}), (std::vector<double>{.5, -.5, -.5, .5}));
}

TEST(Grpo, EqualRewardsTeachNothing) {
  std::vector<double> advantages(3, 9.0);
  EXPECT_FALSE(rl::group_advantages({}, std::vector<float>{.1f, .1f, .1f}, advantages));
  EXPECT_EQ(advantages, (std::vector<double>{0, 0, 0}));
  EXPECT_THROW(advantages_of({}, {1, NAN}), std::invalid_argument);
}

TEST(GrpoGolden, K3) {
  GrpoOptions options;
  options.kl_coefficient = 1;
  EXPECT_NEAR(rl::token_loss(options, 0, -1, -1, -1.3).kl, .040818, 1e-6);  // d = −.3
}

struct Token {
  double advantage, log_prob, old_log_prob, reference;
  double loss, derivative;            ///< clip .2/.2, β 0
  double dapo_loss, dapo_derivative;  ///< clip .2/.28, β .04
  bool clipped;
};

TEST(GrpoGolden, TokenLosses) {
  const Token tokens[] = {{1.5, -.7, -1., -.9, -1.8, 0, -1.919250770, .007250770, true},
                          {1.5, -1.3, -1., -.9, -1.111227331, -1.111227331, -1.107554343, -1.130900319, false},
                          {-1.5, -.7, -1., -.9, 2.024788211, 2.024788211, 2.025537441, 2.032038981, false},
                          {-1.5, -1.3, -1., -.9, 1.2, 0, 1.203672988, -.019672988, true},
                          {.8, -1., -1.1, -.5, -.884136734, -.884136734, -.878187884, -.910085585, false}};
  GrpoOptions dapo;
  dapo.clip.high = .28;
  dapo.kl_coefficient = .04;
  for (const Token& token : tokens) {
    const TokenLoss plain = rl::token_loss({}, token.advantage, token.log_prob, token.old_log_prob, 0);
    EXPECT_NEAR(plain.loss, token.loss, 1e-8);
    EXPECT_NEAR(plain.derivative, token.derivative, 1e-8);
    EXPECT_EQ(plain.clipped, token.clipped);
    const TokenLoss high = rl::token_loss(dapo, token.advantage, token.log_prob, token.old_log_prob, token.reference);
    EXPECT_NEAR(high.loss, token.dapo_loss, 1e-8);
    EXPECT_NEAR(high.derivative, token.dapo_derivative, 1e-8);
  }
}

TEST(Grpo, DerivativesMatchCentralDifferences) {
  GrpoOptions options;
  options.kl_coefficient = .1;
  for (const double advantage : {-1.3, 0.0, .7})
    for (const double log_prob : {-3., -1.05, -.95, -.2}) {  // on both sides of both bounds, not on them
      const auto loss = [&](const std::vector<double>& x) {
        return rl::token_loss(options, advantage, x[0], -1, -.8).loss;
      };
      EXPECT_NEAR(rl::token_loss(options, advantage, log_prob, -1, -.8).derivative,
                  central_differences(loss, {log_prob})[0], 1e-8)
          << advantage << " " << log_prob;
    }
}

TEST(GrpoGolden, Aggregations) {
  // Two rows of 3 and 1 tokens, advantages 1 and −1; at most 8 tokens allowed. Sums of token losses by hand in float64.
  const std::vector<std::vector<double>> log_probs{{-1, -2, -.5}, {-.3}}, old{{-1.1, -1.5, -.5}, {-.6}};
  const double advantages[] = {1, -1};
  const std::tuple<Aggregation, double> cases[] = {{Aggregation::token_mean, -.340460693},
                                                   {Aggregation::sequence_mean, .222979141},
                                                   {Aggregation::maximum_length, -.085115173}};
  for (const auto& [aggregation, expected] : cases) {
    double loss = 0;
    for (std::size_t r = 0; r < 2; ++r)
      for (std::size_t t = 0; t < log_probs[r].size(); ++t)
        loss += rl::token_weight(aggregation, static_cast<double>(log_probs[r].size()), {2, 4, 8}) *
                rl::token_loss({}, advantages[r], log_probs[r][t], old[r][t], 0).loss;
    EXPECT_NEAR(loss, expected, 1e-8) << static_cast<int>(aggregation);
  }
  EXPECT_THROW(rl::token_weight(Aggregation::token_mean, 3, {2, 0, 8}), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
