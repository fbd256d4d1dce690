// What rl.grpo, rl.rloo and rl.ppo share, against goldens_transfer.json (float64, from TRL's and verl's formulas):
// kl_estimators, sampler_correction, aggregation.
#include "policy_loss.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "reference_losses.h"

namespace retort::golden {

namespace {

using rl::Aggregation;
using rl::Clip;

TEST(PolicyLossGolden, EstimatesOfTheDivergence) {
  // kl_estimators: log π − log π_ref = .3 and −.5
  EXPECT_NEAR(rl::k1(-1.0, -1.3), .3, 1e-12);
  EXPECT_NEAR(rl::k1(-1.0, -.5), -.5, 1e-12);
  EXPECT_NEAR(rl::k3(-1.0, -1.3), .0408182206817, 1e-12);
  EXPECT_NEAR(rl::k3(-1.0, -.5), .1487212707, 1e-12);
  EXPECT_NEAR(rl::k3_derivative(-1.0, -1.3), .259181779318, 1e-12);
  EXPECT_NEAR(rl::k3_derivative(-1.0, -.5), -.6487212707, 1e-12);
}

TEST(PolicyLossGolden, SamplerCorrectionTruncates) {
  const double trained[] = {-1.0, -0.5, -2.0, -0.2, -0.1, -0.3}, sampled[] = {-1.3, -0.9, -2.5, -0.2, -0.3, -0.2};
  const double expected[] = {1.34985880758, 1.49182469764, 1.5, 1.0, 1.22140275816, 0.904837418036};
  for (std::size_t t = 0; t < 6; ++t) EXPECT_NEAR(rl::sampler_weight(1.5, trained[t], sampled[t]), expected[t], 1e-11);
  EXPECT_EQ(rl::sampler_weight(0, -1.0, -9.0), 1.0);  // off
}

TEST(PolicyLossGolden, Aggregations) {
  // Losses [1,2,3] and [4,6], at most 4 tokens allowed.
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
  for (const char* name : {"token_mean", "sequence_mean", "sequence_sum", "maximum_length"})
    EXPECT_NO_THROW(rl::aggregation_named(name)) << name;
  EXPECT_THROW(rl::aggregation_named("mean"), std::invalid_argument);
  EXPECT_THROW(rl::token_weight(Aggregation::sequence_sum, 3, {0, 5, 4}), std::invalid_argument);
}

TEST(PolicyLoss, DerivativesMatchCentralDifferences) {
  const Clip bounds{.2, .28};
  for (const Clip* clip : {static_cast<const Clip*>(nullptr), &bounds})
    for (const double advantage : {-1.3, 0.0, .7})
      for (const double log_prob : {-3., -1.05, -.95, -.2}) {  // on both sides of both bounds, not on them
        const auto loss = [&](const std::vector<double>& x) {
          return rl::clipped_surrogate(clip, advantage, x[0], -1).loss;
        };
        EXPECT_NEAR(rl::clipped_surrogate(clip, advantage, log_prob, -1).derivative,
                    central_differences(loss, {log_prob})[0], 1e-8)
            << advantage << " " << log_prob;
      }
}

}  // namespace

}  // namespace retort::golden
