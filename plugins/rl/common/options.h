// Parameters that several algorithms have in common, with one description each. A name that ends in "distance" counts
// from where the policy stands (a ratio of 1, a log-probability difference of 0); "cap", "floor" are absolute bounds.
#pragma once

#include <cstdint>
#include <retort/parameters.hpp>
#include <string>
#include <vector>

#include "policy_loss.h"

namespace retort::rl {

/// How an update becomes one loss.
struct ObjectiveParams {
  std::string loss_aggregation = "token_mean";
  std::int64_t updates = 1, mini_batches = 1;
  std::string sampler_correction = "off", sampler_level = "token";
  double sampler_ratio_cap = 3, sampler_ratio_floor = 0;
  double off_policy_distance = 0;
};

struct ClipParams {
  double clip_distance_below = 0.2, clip_distance_above = 0.2;
  double dual_clip_cap = 0;
  Clip clip() const { return {clip_distance_below, clip_distance_above, dual_clip_cap}; }
};

struct KlParams {
  double kl_coefficient = 0;
  std::string kl_estimator = "k3";
};

/// How the rewards of a group's samples become one advantage each.
struct GroupParams {
  std::int64_t group_size = 8;
  std::string scale = "std_unbiased";
  double epsilon = 1e-4;
  std::string reward_normalisation = "after_adding";
  std::vector<double> part_weights;
  bool drop_equal_groups = true;
};

template <typename P>
ParameterSet<P>& add_objective(ParameterSet<P>& set) {
  return set.string("loss_aggregation", &P::loss_aggregation)
      .one_of({"token_mean", "sequence_mean", "sequence_sum", "maximum_length"})
      .doc(
          "mean over the update's tokens (DAPO), mean over rows of the mean (GRPO) or sum (RLOO) over tokens, or sum "
          "over tokens divided by rows and the longest response allowed (Dr.GRPO)")
      .integer("updates", &P::updates)
      .at_least(1)
      .doc("passes over one batch of rollouts; with 1 and one mini-batch every ratio is 1 and nothing is clipped")
      .integer("mini_batches", &P::mini_batches)
      .at_least(1)
      .doc("optimiser steps of a pass")
      .string("sampler_correction", &P::sampler_correction)
      .one_of({"off", "truncate", "mask", "icepop"})
      .doc(
          "the engine that samples is another program than the trainer: a token's policy loss is multiplied by x = "
          "π_trainer/π_sampler, at most the cap (truncate) or 0 outside of floor and cap (mask); icepop: by the "
          "token's "
          "own ratio, or 0 where x is outside")
      .string("sampler_level", &P::sampler_level)
      .one_of({"token", "sequence_product", "sequence_mean"})
      .doc("x is the token's, the product over the response's tokens, or their geometric mean")
      .number("sampler_ratio_cap", &P::sampler_ratio_cap)
      .above(0)
      .doc("with sampler_correction: the highest x, an absolute bound")
      .number("sampler_ratio_floor", &P::sampler_ratio_floor)
      .at_least(0)
      .doc("with mask and icepop: the lowest x, an absolute bound")
      .number("off_policy_distance", &P::off_policy_distance)
      .at_least(0)
      .doc(
          "responses with an advantage below 0 whose mean log π_old − log π exceeds this distance teach nothing "
          "(DeepSeek-V3.2); 0: off");
}

template <typename P>
ParameterSet<P>& add_clip(ParameterSet<P>& set) {
  return set.number("clip_distance_below", &P::clip_distance_below)
      .above(0)
      .below(1)
      .doc("the probability ratio is clipped below at 1 − this distance")
      .number("clip_distance_above", &P::clip_distance_above)
      .above(0)
      .doc("and above at 1 + this distance (DAPO: 0.28)")
      .number("dual_clip_cap", &P::dual_clip_cap)
      .at_least(0)
      .doc(
          "dual clip: where the advantage is below 0 the ratio counts as this at most, an absolute bound above 1 + "
          "clip_distance_above (3 is common); 0: off");
}

template <typename P>
ParameterSet<P>& add_kl(ParameterSet<P>& set, const char* coefficient) {
  return set.number("kl_coefficient", &P::kl_coefficient)
      .at_least(0)
      .doc(coefficient)
      .string("kl_estimator", &P::kl_estimator)
      .one_of({"k1", "k2", "k3", "k3_plus", "k3_unbiased"})
      .doc(
          "d = log π − log π_ref: d, d²/2, e^−d + d − 1, the last with the gradient of d²/2, or times π/π_old; k1 as "
          "a loss has a gradient of mean 0");
}

inline constexpr const char* kl_in_the_loss =
    "weight of the estimate of KL(policy ‖ reference) in the loss; 0: off, no reference model is loaded";
inline constexpr const char* kl_in_the_reward =
    "β: each token's reward is less β·KL(π‖π_ref) at that token; 0: off, no reference model is loaded";

template <typename P>
ParameterSet<P>& add_group_size(ParameterSet<P>& set, double least) {
  return set.integer("group_size", &P::group_size)
      .at_least(least)
      .doc("samples of each prompt, which are answers to compare");
}

template <typename P>
ParameterSet<P>& add_group(ParameterSet<P>& set, double least_size = 2) {
  return add_group_size(set, least_size)
      .string("scale", &P::scale)
      .one_of({"std_unbiased", "none"})
      .doc("divide advantages by the group's unbiased standard deviation (GRPO), or not at all (Dr.GRPO)")
      .number("epsilon", &P::epsilon)
      .at_least(0)
      .doc("added to the standard deviation of a group's rewards")
      .string("reward_normalisation", &P::reward_normalisation)
      .one_of({"after_adding", "each_by_samples", "each_by_tokens"})
      .doc(
          "of several named rewards: normalise their sum, or each by itself in its group, add them by part_weights and "
          "normalise the sums over the step's samples, or tokens (GDPO)")
      .numbers("part_weights", &P::part_weights)
      .doc("with each_…: the weights of the reward's named scores, in their order; empty: 1 each")
      .boolean("drop_equal_groups", &P::drop_equal_groups)
      .doc("leave out groups whose rewards are all equal (DAPO); else they count as rows, and only the KL moves them");
}

}  // namespace retort::rl
