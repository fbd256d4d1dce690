// rl.ppo: batches and parameters around ppo.h. Asks the host for a value head, which is trained with the policy.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "ppo.h"
#include "token_sum.h"

namespace {

using Floats = retort::TensorView<const float>;

class Ppo : public retort::RlAlgorithm {
 public:
  struct Params {
    double gamma = 1, lambda = 0.95;
    double clip_low = 0.2, clip_high = 0.2;
    double value_clip = 0.2, value_coefficient = 0.1;
    double entropy_coefficient = 0;
    double kl_coefficient = 0;
    std::string kl_estimator = "k1";
    bool token_rewards = false, whiten_advantages = true;
    std::string loss_aggregation = "token_mean";
    std::int64_t group_size = 1, updates = 4, mini_batches = 1;
    double sampler_ratio_cap = 0;
  };
  static auto schema() {
    return add_loss_parameters(
        retort::params<Params>()
            .number("gamma", &Params::gamma)
            .above(0)
            .at_most(1)
            .doc("γ: discount of a later token's reward")
            .number("lambda", &Params::lambda)
            .at_least(0)
            .at_most(1)
            .doc("λ of generalised advantage estimation; 1: returns less values")
            .number("kl_coefficient", &Params::kl_coefficient)
            .at_least(0)
            .doc("β: each token's reward is less β·KL(π‖π_ref) at that token; 0: off, no "
                 "reference model is loaded")
            .string("kl_estimator", &Params::kl_estimator)
            .one_of({"k1", "k3"})
            .doc("log π − log π_ref (unbiased, may be negative), or e^−d + d − 1 (never negative)")
            .boolean("token_rewards", &Params::token_rewards)
            .doc("add the reward's own scores of single tokens")
            .boolean("whiten_advantages", &Params::whiten_advantages)
            .doc("give a step's advantages mean 0 and (unbiased) deviation 1 over its tokens"));
  }

  explicit Ppo(const Params& params)
      : params_(params), aggregation_(retort::rl::aggregation_named(params.loss_aggregation)) {}

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    wanted.updates = params_.updates;
    wanted.mini_batches = params_.mini_batches;
    wanted.signals = RETORT_SIGNAL_VALUES;
    if (params_.kl_coefficient > 0) wanted.signals |= RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    if (params_.entropy_coefficient > 0) wanted.signals |= RETORT_SIGNAL_ENTROPIES;
    if (params_.token_rewards) wanted.signals |= RETORT_SIGNAL_TOKEN_REWARDS;
    if (params_.sampler_ratio_cap > 0) wanted.signals |= RETORT_SIGNAL_SAMPLER_LOG_PROBS;
    return wanted;
  }

  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    check_step(batch, out);
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    const auto width = static_cast<std::size_t>(positions);
    std::vector<double> rewards(width), row(width), returns(width), all;
    double reward = 0, divergence = 0, tokens = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      divergence += token_rewards(batch, r, rewards);
      reward += static_cast<double>(batch.rewards[r]);
      const std::span<const float> mask(batch.mask.row(r), width);
      retort::rl::generalised_advantages({params_.gamma, params_.lambda}, rewards, {batch.old_values.row(r), width},
                                         mask, row, returns);
      for (std::size_t t = 0; t < width; ++t) {
        out.returns(r, static_cast<std::int64_t>(t)) = static_cast<float>(returns[t]);
        if (mask[t] > 0) all.push_back(row[t]);
      }
    }
    tokens = static_cast<double>(std::max<std::size_t>(all.size(), 1));
    if (params_.whiten_advantages) retort::rl::whiten(all);
    auto next = all.begin();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t t = 0; t < positions; ++t)
        out.advantages(r, t) = batch.mask(r, t) > 0 ? static_cast<float>(*next++) : 0.0F;
    retort::Metrics metrics{{"mean_reward", reward / static_cast<double>(std::max<std::int64_t>(rows, 1))}};
    if (params_.kl_coefficient > 0) metrics.emplace_back("kl", divergence / tokens);
    return metrics;
  }

  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    check_loss(batch, gradient);
    const auto sum = retort::rl::sum_tokens(batch, gradient, aggregation_,
                                            [&](std::int64_t r, std::int64_t t) { return terms(batch, r, t); });
    Result result{sum.loss, {{"clip_fraction", sum.clipped}, {"value_loss", sum.value_loss}}};
    if (params_.entropy_coefficient > 0) result.metrics.emplace_back("entropy", sum.entropy);
    return result;
  }

 private:
  static retort::ParameterSet<Params> add_loss_parameters(retort::ParameterSet<Params> set) {
    return set.number("clip_low", &Params::clip_low)
        .above(0)
        .below(1)
        .doc("the probability ratio is clipped below at 1 − clip_low")
        .number("clip_high", &Params::clip_high)
        .above(0)
        .doc("and above at 1 + clip_high")
        .number("value_clip", &Params::value_clip)
        .at_least(0)
        .doc("values count within this distance of those at the begin of the step; 0: not clipped")
        .number("value_coefficient", &Params::value_coefficient)
        .at_least(0)
        .doc("weight of ½(value − return)²")
        .number("entropy_coefficient", &Params::entropy_coefficient)
        .at_least(0)
        .doc("weight of the entropy bonus; 0: off")
        .string("loss_aggregation", &Params::loss_aggregation)
        .one_of({"token_mean", "sequence_mean", "sequence_sum", "maximum_length"})
        .doc(
            "mean over the update's tokens, mean over rows of the mean or sum over tokens, or sum over tokens divided "
            "by rows and the longest response allowed")
        .integer("group_size", &Params::group_size)
        .at_least(1)
        .doc("samples of each prompt; they do not see each other")
        .integer("updates", &Params::updates)
        .at_least(1)
        .doc("passes over one batch of rollouts")
        .integer("mini_batches", &Params::mini_batches)
        .at_least(1)
        .doc("optimiser steps of a pass")
        .number("sampler_ratio_cap", &Params::sampler_ratio_cap)
        .at_least(0)
        .doc(
            "truncated importance sampling: a token's policy loss is multiplied by min(π_trainer/π_sampler, cap), "
            "since the engine that samples is another program (3 is common); 0: off");
  }

  /// Each token's reward: its own score, less the divergence, and the response's score at its last token. Returns the
  /// divergence summed over the response.
  double token_rewards(const retort::RlBatch& batch, std::int64_t r, std::vector<double>& rewards) const {
    std::fill(rewards.begin(), rewards.end(), 0.0);
    double divergence = 0;
    std::int64_t last = -1;
    for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
      if (!(batch.mask(r, t) > 0)) continue;
      last = t;
      double& reward = rewards[static_cast<std::size_t>(t)];
      if (params_.token_rewards) reward += static_cast<double>(batch.token_rewards(r, t));
      if (params_.kl_coefficient > 0) {
        const double now = static_cast<double>(batch.old_log_probs(r, t));
        const double reference = static_cast<double>(batch.reference_log_probs(r, t));
        const double kl =
            params_.kl_estimator == "k1" ? retort::rl::k1(now, reference) : retort::rl::k3(now, reference);
        reward -= params_.kl_coefficient * kl;
        divergence += kl;
      }
    }
    if (last >= 0) rewards[static_cast<std::size_t>(last)] += static_cast<double>(batch.rewards[r]);
    for (const double reward : rewards)
      if (!std::isfinite(reward))
        throw std::invalid_argument("row " + std::to_string(r) + ": expected finite rewards, found " +
                                    std::to_string(reward));
    return divergence;
  }

  retort::rl::TokenTerms terms(const retort::RlBatch& batch, std::int64_t r, std::int64_t t) const {
    const auto at = [r, t](const Floats& view) { return view ? static_cast<double>(view(r, t)) : 0.0; };
    const retort::rl::Clip clip{params_.clip_low, params_.clip_high};
    const double correction =
        retort::rl::sampler_weight(params_.sampler_ratio_cap, at(batch.old_log_probs), at(batch.sampler_log_probs));
    retort::rl::TokenTerms token;
    token.policy = retort::rl::clipped_surrogate(&clip, correction * at(batch.advantages), at(batch.log_probs),
                                                 at(batch.old_log_probs));
    const auto value =
        retort::rl::value_loss(params_.value_clip, at(batch.values), at(batch.old_values), at(batch.returns));
    token.value_loss = value.loss;
    token.value_weight = params_.value_coefficient;
    token.by_value = params_.value_coefficient * value.derivative;
    if (params_.entropy_coefficient > 0) {
      token.entropy = at(batch.entropies);
      token.by_entropy = -params_.entropy_coefficient;
    }
    return token;
  }

  void check_step(const retort::RlBatch& batch, const retort::RlAdvantages& out) const {
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    expect_shape(batch.mask, "mask", rows, positions);
    expect_shape(batch.rewards, "rewards", rows);
    expect_shape(batch.old_values, "old_values", rows, positions);
    expect_shape(out.advantages, "advantages", rows, positions);
    expect_shape(out.returns, "returns", rows, positions);
    if (params_.token_rewards) expect_shape(batch.token_rewards, "token_rewards", rows, positions);
    if (params_.kl_coefficient > 0) {
      expect_shape(batch.old_log_probs, "old_log_probs", rows, positions);
      expect_shape(batch.reference_log_probs, "reference_log_probs", rows, positions);
    }
  }

  void check_loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) const {
    retort::rl::check_loss_batch(batch, gradient);
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    expect_shape(batch.values, "values", rows, positions);
    expect_shape(batch.old_values, "old_values", rows, positions);
    expect_shape(batch.returns, "returns", rows, positions);
    if (params_.entropy_coefficient > 0) expect_shape(batch.entropies, "entropies", rows, positions);
    if (params_.sampler_ratio_cap > 0) expect_shape(batch.sampler_log_probs, "sampler_log_probs", rows, positions);
    if (gradient.values) expect_shape(gradient.values, "values_gradient", rows, positions);
    if (gradient.entropies) expect_shape(gradient.entropies, "entropies_gradient", rows, positions);
  }

  Params params_;
  retort::rl::Aggregation aggregation_;
};

}  // namespace

RETORT_PLUGIN_LIST("ppo", "1.0.0", "Apache-2.0",
                   retort::component<Ppo>("rl.ppo", "1.0.0",
                                          "proximal policy optimisation with a value head: generalised advantages, "
                                          "clipped ratio and value, entropy bonus, KL in the token rewards"));
