// The formulas of the policy-gradient algorithms and of what they share, against goldens_transfer.json (float64, from
// TRL's and verl's formulas; the name of each case stands beside it), published numbers, numbers computed in float64
// outside this project (Python), and central differences.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

#include "central_differences.h"
#include "cispo.h"
#include "dapo.h"
#include "group_rewards.h"
#include "gspo.h"
#include "numbers.h"
#include "returns.h"
#include "sapo.h"

namespace retort::golden {

namespace {

using rl::Aggregation;
using rl::Clip;
using rl::Kl;
using rl::Scale;
using rl::TokenLoss;

std::vector<double> advantages_of(Scale scale, double epsilon, const std::vector<double>& rewards) {
  std::vector<double> advantages(rewards.size());
  rl::group_advantages(scale, epsilon, rewards, advantages);
  return advantages;
}

TEST(GroupGolden, AdvantagesOfFourSamples) {
  expect_near(advantages_of(Scale::std_unbiased, 1e-4, {1, 0, 0, 1}), {.865875, -.865875, -.865875, .865875}, 1e-6);
  expect_near(advantages_of(Scale::std_unbiased, 1e-6, {1, 0, 0, 1}), {.866024, -.866024, -.866024, .866024}, 1e-6);
  EXPECT_EQ(advantages_of(Scale::none, 0, {1, 0, 0, 1}), (std::vector<double>{.5, -.5, -.5, .5}));  // Dr.GRPO
}

TEST(GroupGolden, AdvantagesOfEightSamplesOneMalformed) {
  expect_near(
      advantages_of(Scale::std_unbiased, 1e-4, {.25, 1, -1, .5, .5, 0, 1, .75}),
      {-0.190911492, 0.954557459, -2.100026409, 0.190911492, 0.190911492, -0.572734475, 0.954557459, 0.572734475},
      1e-8);
}

TEST(Group, EqualRewardsTeachNothing) {
  std::vector<double> advantages(7, 9.0);
  EXPECT_FALSE(rl::group_advantages(Scale::std_unbiased, 1e-4, std::vector<double>(7, .35), advantages));
  EXPECT_EQ(advantages, std::vector<double>(7, 0.0));
  EXPECT_THROW(advantages_of(Scale::none, 0, {1, NAN}), std::invalid_argument);
}

TEST(PolicyLossGolden, EstimatesOfTheDivergence) {
  // kl_estimators: log π − log π_ref = .3 and −.5
  struct Case {
    Kl kl;
    double values[2], gradients[2];
  };
  const Case cases[] = {{Kl::k1, {.3, -.5}, {1, 1}},
                        {Kl::k2, {.045, .125}, {.3, -.5}},
                        {Kl::k3, {.0408182206817, .1487212707}, {.259181779318, -.6487212707}},
                        {Kl::k3_plus, {.0408182206817, .1487212707}, {.3, -.5}}};
  for (const Case& one : cases)
    for (int i = 0; i < 2; ++i) {
      const rl::Divergence found = rl::divergence(one.kl, -1, i == 0 ? -1.3 : -.5, -1);
      EXPECT_NEAR(found.value, one.values[i], 1e-11);
      EXPECT_NEAR(found.derivative, one.gradients[i], 1e-11);
    }
  EXPECT_NEAR(rl::divergence(Kl::k3_unbiased, -1, -1.3, -1 - std::log(1.1)).value, .0449000427499, 1e-12);
  EXPECT_NEAR(rl::divergence(Kl::k3_unbiased, -1, -.5, -1 - std::log(.9)).value, .13384914363, 1e-12);
  for (const Kl kl : {Kl::k1, Kl::k2, Kl::k3, Kl::k3_unbiased}) {
    const auto value = [&](const std::vector<double>& x) { return rl::divergence(kl, x[0], -1.4, -.8).value; };
    EXPECT_NEAR(rl::divergence(kl, -1, -1.4, -.8).derivative, central_differences(value, {-1})[0], 1e-8);
  }
  EXPECT_THROW(rl::kl_named("k4"), std::invalid_argument);
}

TEST(PolicyLossGolden, SamplerCorrections) {
  // sampler_correction: two rows of three tokens
  const std::vector<std::vector<double>> trained{{-1.0, -0.5, -2.0}, {-0.2, -0.1, -0.3}},
      sampled{{-1.3, -0.9, -2.5}, {-0.2, -0.3, -0.2}};
  const auto weights = [&](const rl::SamplerCorrection& correction) {
    std::vector<double> all;
    for (std::size_t r = 0; r < 2; ++r) {
      std::vector<double> row(3, 9);
      rl::sampler_weights(correction, trained[r], sampled[r], row);
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  };
  using rl::Correction;
  using rl::RatioLevel;
  const double a = 1.34985880758, b = 1.49182469764, c = 1.22140275816, d = .904837418036;
  expect_near(weights({Correction::truncate, RatioLevel::token, 0, 1.5}), {a, b, 1.5, 1, c, d}, 1e-11);
  expect_near(weights({Correction::mask, RatioLevel::token, .5, 1.45}), {a, 0, 0, 1, c, d}, 1e-11);
  expect_near(weights({Correction::icepop, RatioLevel::token, .5, 1.45}), {a, 0, 0, 1, c, d}, 1e-11);
  const double p = 1.10517091808, m = 1.03389511351;
  expect_near(weights({Correction::truncate, RatioLevel::sequence_product, 0, 3}), {3, 3, 3, p, p, p}, 1e-11);
  expect_near(weights({Correction::mask, RatioLevel::sequence_product, .9, 1.2}), {0, 0, 0, p, p, p}, 1e-11);
  expect_near(weights({Correction::mask, RatioLevel::sequence_mean, .9, 1.2}), {0, 0, 0, m, m, m}, 1e-11);
  expect_near(weights({Correction::icepop, RatioLevel::sequence_mean, .9, 1.2}), {0, 0, 0, 1, c, d}, 1e-11);
  EXPECT_EQ(weights({}), std::vector<double>(6, 1.0));
}

TEST(PolicyLossGolden, Aggregations) {
  // aggregation: losses [1,2,3] and [4,6], at most 4 tokens allowed
  const std::vector<std::vector<double>> losses{{1, 2, 3}, {4, 6}};
  const std::pair<Aggregation, double> cases[] = {{Aggregation::token_mean, 3.2},
                                                  {Aggregation::sequence_mean, 3.5},
                                                  {Aggregation::sequence_sum, 8.0},
                                                  {Aggregation::maximum_length, 2.0}};
  for (const auto& [aggregation, expected] : cases) {
    double sum = 0;
    for (const auto& row : losses)
      for (const double loss : row)
        sum += loss * rl::token_weight(aggregation, static_cast<double>(row.size()), {2, 5, 4});
    EXPECT_NEAR(sum, expected, 1e-12) << static_cast<int>(aggregation);
  }
  EXPECT_THROW(rl::aggregation_named("mean"), std::invalid_argument);
  EXPECT_THROW(rl::token_weight(Aggregation::sequence_sum, 3, {0, 5, 4}), std::invalid_argument);
}

struct Token {
  double advantage, log_prob, old_log_prob, loss, derivative;
  bool clipped;
};

TEST(PolicyLossGolden, ClippedTokens) {
  const Token tokens[] = {{1.5, -.7, -1., -1.8, 0, true},
                          {1.5, -1.3, -1., -1.111227331, -1.111227331, false},
                          {-1.5, -.7, -1., 2.024788211, 2.024788211, false},
                          {-1.5, -1.3, -1., 1.2, 0, true},
                          {.8, -1., -1.1, -.884136734, -.884136734, false}};
  const Clip clip;
  for (const Token& token : tokens) {
    const TokenLoss found = rl::clipped_surrogate(&clip, token.advantage, token.log_prob, token.old_log_prob);
    EXPECT_NEAR(found.loss, token.loss, 1e-8);
    EXPECT_NEAR(found.derivative, token.derivative, 1e-8);
    EXPECT_EQ(found.clipped, token.clipped);
  }
  const Clip dapo{.2, .28};
  EXPECT_NEAR(rl::clipped_surrogate(&dapo, 1.5, -.7, -1).loss, -1.92, 1e-12);
}

TEST(PolicyLossGolden, DualClipAndTwoSidedClip) {
  // dual_clip with c 3, two_sided_clip with δ 1.5: cases of advantage and ratio
  const double cases[][4] = {{-1, 4, 3, 1.5}, {-1, 2, 2, 1.5}, {1, 4, -1.2, -1.2}, {1, .5, -.5, -.5}, {-1, .5, .8, .8}};
  const Clip dual{.2, .2, 3}, two_sided{.2, .2, 1.5};
  for (const auto& [advantage, ratio, with_dual, with_two] : cases) {
    EXPECT_NEAR(rl::clipped_ratio(&dual, advantage, ratio).loss, with_dual, 1e-12);
    EXPECT_NEAR(rl::clipped_ratio(&two_sided, advantage, ratio).loss, with_two, 1e-12);
  }
  EXPECT_EQ(rl::clipped_ratio(&dual, -1, 4).derivative, 0);
  EXPECT_NEAR(rl::clipped_ratio(&dual, -1, 2).derivative, 2, 1e-12);
}

/// The step of cispo_absolute_cap, gspo_sequence and others: two rows of three and two tokens.
const std::vector<std::vector<double>> now{{-.9, -1.1, -.4}, {-1.6, -.2}}, old{{-1.2, -1.0, -1.0}, {-1.2, -.6}};
const double step_advantages[] = {.8, -.5};

struct StepLoss {
  double loss = 0;
  std::vector<double> gradient;
};

/// `one(r, t)` of every token under an aggregation.
StepLoss step_loss(Aggregation aggregation, const std::function<TokenLoss(std::size_t, std::size_t)>& one) {
  StepLoss sum;
  for (std::size_t r = 0; r < 2; ++r)
    for (std::size_t t = 0; t < now[r].size(); ++t) {
      const double weight = rl::token_weight(aggregation, static_cast<double>(now[r].size()), {2, 5, 3});
      const TokenLoss token = one(r, t);
      sum.loss += weight * token.loss;
      sum.gradient.push_back(weight * token.derivative);
    }
  return sum;
}

double row_log_ratio(std::size_t r) {
  double sum = 0;
  for (std::size_t t = 0; t < now[r].size(); ++t) sum += now[r][t] - old[r][t];
  return sum / static_cast<double>(now[r].size());
}

TEST(CispoGolden, AbsoluteCapAndTwoSides) {
  const auto with = [](double floor, double cap) {
    return step_loss(Aggregation::token_mean, [=](std::size_t r, std::size_t t) {
      return rl::cispo_token_loss(floor, cap, step_advantages[r], now[r][t], old[r][t]);
    });
  };
  const StepLoss capped = with(0, 5);  // cispo_absolute_cap
  EXPECT_NEAR(capped.loss, .333158955772, 1e-11);
  expect_near(capped.gradient, {-.215977409212, -.144773986886, -.291539008062, .0670320046036, .149182469764}, 1e-11);
  const StepLoss two = with(.8, 1.28);  // Python
  EXPECT_NEAR(two.loss, .271891385574, 1e-11);
  expect_near(two.gradient, {-.2048, -.144773986886, -.2048, .08, .128}, 1e-11);
  EXPECT_NEAR(rl::cispo_token_loss(.8, 1.28, -1.4, -2.1, -1.7).loss, -2.352, 1e-12);  // by hand: at the floor
  EXPECT_NEAR(rl::cispo_token_loss(.8, 1.28, -1.4, -2.1, -1.7).derivative, 1.12, 1e-12);
  EXPECT_NEAR(rl::cispo_token_loss(0, 2, .9, -.3, -1.4).loss, .54, 1e-12);  // at the cap
  EXPECT_TRUE(rl::cispo_token_loss(.8, 1.28, 1, -.9, -1.2).clipped);
  EXPECT_FALSE(rl::cispo_token_loss(.8, 1.28, 1, -1.1, -1).clipped);
}

TEST(GspoGolden, SequenceAndTokenForm) {
  const auto with = [](const Clip& clip) {
    return step_loss(Aggregation::sequence_mean, [&](std::size_t r, std::size_t) {
      return rl::gspo_token_loss(clip, step_advantages[r], row_log_ratio(r));
    });
  };
  EXPECT_NEAR(std::exp(row_log_ratio(0)), 1.30560517206, 1e-11);
  const StepLoss wide = with({.5, 1.0});  // gspo_sequence, clip [0.5, 2]; gspo_token has the same gradients
  EXPECT_NEAR(wide.loss, -.272242068826, 1e-11);
  expect_near(wide.gradient, {-.174080689609, -.174080689609, -.174080689609, .125, .125}, 1e-11);
  const StepLoss narrow = with({3e-4, 4e-4});
  EXPECT_NEAR(narrow.loss, -.15016, 1e-11);
  expect_near(narrow.gradient, {0, 0, 0, .125, .125}, 1e-11);
}

TEST(GspoGolden, OneSequenceOnEitherSideOfItsBounds) {  // Python: advantage, mean log ρ, loss, derivative
  const Clip clip{.2, .28};
  const double cases[][4] = {{1.25, -.35, -.8808601121484, -.8808601121484},
                             {-.75, .42, 1.141471166714, 1.141471166714},
                             {.6, .1, -.6631025508454, -.6631025508454},
                             {-1.5, -.4, 1.2, 0}};
  for (const auto& [advantage, log_ratio, loss, derivative] : cases) {
    EXPECT_NEAR(rl::gspo_token_loss(clip, advantage, log_ratio).loss, loss, 1e-11) << advantage;
    EXPECT_NEAR(rl::gspo_token_loss(clip, advantage, log_ratio).derivative, derivative, 1e-11) << advantage;
  }
}

TEST(SapoGolden, GateOfBothSigns) {
  const StepLoss found = step_loss(Aggregation::sequence_mean, [](std::size_t r, std::size_t t) {
    return rl::sapo_token_loss(1, 1.05, step_advantages[r], now[r][t], old[r][t]);
  });
  EXPECT_NEAR(found.loss, -.441797078103, 1e-11);  // Python
  expect_near(found.gradient, {-.174584133, -.120372263, -.206115546, .081329171, .17457777}, 1e-8);
  const TokenLoss at_one = rl::sapo_token_loss(1, 1.05, -.5, -1, -1);
  EXPECT_NEAR(at_one.derivative, .5, 1e-12);  // the plain gradient where the ratio is 1
  EXPECT_NEAR(at_one.loss, .5 * 2 / 1.05, 1e-12);
}

TEST(DapoGolden, SoftOverlongPenalty) {
  const double expected[] = {0, 0, -.5, -1, -1};  // equation 13 by hand, at most 10 tokens, the last 2 punished
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(rl::soft_overlong(7 + i, 10, 2), expected[i], 1e-12) << 7 + i;
  EXPECT_EQ(rl::soft_overlong(10, 10, 0), 0);
}

TEST(PolicyLoss, DerivativesMatchCentralDifferences) {
  const Clip bounds{.2, .28}, dual{.2, .28, 2};
  const std::vector<std::function<TokenLoss(double, double)>> losses = {
      [](double a, double x) { return rl::clipped_surrogate(nullptr, a, x, -1); },
      [&](double a, double x) { return rl::clipped_surrogate(&bounds, a, x, -1); },
      [&](double a, double x) { return rl::clipped_surrogate(&dual, a, x, -1); },
      [&](double a, double x) { return rl::gspo_token_loss(bounds, a, x + 1); },
      [](double a, double x) { return rl::sapo_token_loss(.9, 1.2, a, x, -1); }};
  for (std::size_t i = 0; i < losses.size(); ++i)
    for (const double advantage : {-1.3, 0.0, .7})
      for (const double log_prob : {-3., -1.05, -.95, -.2, .1}) {  // on both sides of all bounds, not on them
        const auto loss = [&](const std::vector<double>& x) { return losses[i](advantage, x[0]).loss; };
        EXPECT_NEAR(losses[i](advantage, log_prob).derivative, central_differences(loss, {log_prob})[0], 1e-8)
            << i << " " << advantage << " " << log_prob;
      }
}

TEST(PolicyLoss, CispoIsTheDerivativeAtAConstantRatio) {
  for (const double log_prob : {-3., -1.05, .9}) {
    const auto loss = [&](const std::vector<double>& x) {
      return rl::cispo_token_loss(.5, 2, -1.3, x[0], x[0] - (log_prob + 1)).loss;
    };
    EXPECT_NEAR(rl::cispo_token_loss(.5, 2, -1.3, log_prob, -1).derivative, central_differences(loss, {log_prob})[0],
                1e-8);
  }
}

TEST(ReturnsGolden, ToolResultsNeitherAddNorDiscountNorReset) {
  // reward_to_go_tool_span (verl issue 7278, PR 6376)
  const auto to_go = [](double gamma, const std::vector<double>& rewards, const std::vector<float>& mask) {
    std::vector<double> returns(rewards.size(), 9);
    rl::reward_to_go(gamma, rewards, mask, returns);
    return returns;
  };
  EXPECT_EQ(to_go(1, {0, 0, 0, 0, 0, 1}, {1, 1, 0, 0, 1, 1}), (std::vector<double>{1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(to_go(.5, {0, 0, 1}, {1, 0, 1}), (std::vector<double>{.5, 0, 1}));
  expect_near(to_go(.9, {-.05, -.05, .95}, {1, 1, 1}), {.6745, .805, .95}, 1e-12);
  // minillm_advantage (TRL issue 7024, pull request 7044, issue 6635): what is padding does not count, and the discount
  // is γ^(i−t), not γ^i.
  EXPECT_EQ(to_go(1, {1.5, 1, 2, 2}, {1, 1, 0, 0}), (std::vector<double>{2.5, 1, 0, 0}));
  EXPECT_EQ(to_go(.5, {1.5, 1, 2, 2}, {1, 1, 0, 0}), (std::vector<double>{2, 1, 0, 0}));
}

}  // namespace

}  // namespace retort::golden
