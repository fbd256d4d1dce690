// rl.ppo: batches and parameters around ppo.h. Asks the host for a value head, which is trained with the policy.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "objective.h"
#include "ppo.h"
#include "returns.h"

namespace {

using Floats = retort::TensorView<const float>;

class Ppo : public retort::RlAlgorithm {
 public:
  struct Params : retort::rl::ObjectiveParams, retort::rl::ClipParams, retort::rl::KlParams {
    double gamma = 1, lambda = 0.95;
    double value_clip_distance = 0.2, value_coefficient = 0.1;
    double entropy_coefficient = 0;
    bool token_rewards = false, whiten_advantages = true;
    std::int64_t group_size = 1;
    Params() {
      kl_estimator = "k1";
      updates = 4;
    }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_size(set, 1);
    retort::rl::add_kl(retort::rl::add_objective(retort::rl::add_clip(set)), retort::rl::kl_in_the_reward);
    return set.number("gamma", &Params::gamma)
        .above(0)
        .at_most(1)
        .doc("γ: discount of a later token's reward")
        .number("lambda", &Params::lambda)
        .at_least(0)
        .at_most(1)
        .doc("λ of generalised advantage estimation; 1: returns less values")
        .boolean("token_rewards", &Params::token_rewards)
        .doc("add the rewards of single tokens (a teacher's)")
        .boolean("whiten_advantages", &Params::whiten_advantages)
        .doc("give a step's advantages mean 0 and (unbiased) deviation 1 over its tokens")
        .number("value_clip_distance", &Params::value_clip_distance)
        .at_least(0)
        .doc("values count within this distance of those at the begin of the step; 0: not clipped")
        .number("value_coefficient", &Params::value_coefficient)
        .at_least(0)
        .doc("weight of ½(value − return)²")
        .number("entropy_coefficient", &Params::entropy_coefficient)
        .at_least(0)
        .doc("weight of the entropy bonus; 0: off");
  }

  explicit Ppo(const Params& params) : params_(params), objective_(params, {}), clip_(params.clip()) {}

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    wanted.signals = RETORT_SIGNAL_VALUES;
    objective_.add_to(wanted);
    if (params_.kl_coefficient > 0) wanted.signals |= RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    if (params_.entropy_coefficient > 0) wanted.signals |= RETORT_SIGNAL_ENTROPIES;
    if (params_.token_rewards) wanted.signals |= RETORT_SIGNAL_TOKEN_REWARDS;
    return wanted;
  }

  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    check_step(batch, out);
    const std::int64_t rows = batch.mask.rows();
    const auto width = static_cast<std::size_t>(batch.mask.columns());
    std::vector<double> rewards(width), row(width), returns(width), all;
    double divergence = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      divergence += retort::rl::rewards_with_divergence(
          batch, r, params_, params_.token_rewards ? batch.token_rewards : Floats(), rewards);
      const std::span<const float> mask(batch.mask.row(r), width);
      retort::rl::generalised_advantages({params_.gamma, params_.lambda}, rewards, {batch.old_values.row(r), width},
                                         mask, row, returns);
      for (std::size_t t = 0; t < width; ++t) {
        out.returns(r, static_cast<std::int64_t>(t)) = static_cast<float>(returns[t]);
        if (mask[t] > 0) all.push_back(row[t]);
      }
    }
    if (params_.whiten_advantages) retort::rl::whiten(all);
    retort::rl::write_token_advantages(batch, all, out);
    return retort::rl::reward_metrics(batch, params_.kl_coefficient > 0, divergence, all.size());
  }

  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    check_loss(batch, gradient);
    const retort::rl::Objective::Rows constants = objective_.rows(batch);
    const auto sum =
        retort::rl::sum_tokens(batch, gradient, objective_.aggregation(),
                               [&](std::int64_t r, std::int64_t t) { return terms(batch, constants, r, t); });
    Result result{sum.loss, objective_.metrics(sum)};
    result.metrics.emplace_back("value_loss", sum.value_loss);
    if (params_.entropy_coefficient > 0) result.metrics.emplace_back("entropy", sum.entropy);
    return result;
  }

 private:
  retort::rl::TokenTerms terms(const retort::RlBatch& batch, const retort::rl::Objective::Rows& constants,
                               std::int64_t r, std::int64_t t) const {
    const auto at = [r, t](const Floats& view) { return static_cast<double>(view(r, t)); };
    retort::rl::TokenTerms token =
        objective_.terms(batch, constants, r, t, [this](const retort::rl::TokenInputs& inputs) {
          return retort::rl::clipped_surrogate(&clip_, inputs.advantage, inputs.log_prob, inputs.old_log_prob);
        });
    const auto value =
        retort::rl::value_loss(params_.value_clip_distance, at(batch.values), at(batch.old_values), at(batch.returns));
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
    objective_.check(batch, gradient);
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    expect_shape(batch.values, "values", rows, positions);
    expect_shape(batch.old_values, "old_values", rows, positions);
    expect_shape(batch.returns, "returns", rows, positions);
    if (params_.entropy_coefficient > 0) expect_shape(batch.entropies, "entropies", rows, positions);
    if (gradient.values) expect_shape(gradient.values, "values_gradient", rows, positions);
    if (gradient.entropies) expect_shape(gradient.entropies, "entropies_gradient", rows, positions);
  }

  Params params_;
  retort::rl::Objective objective_;
  retort::rl::Clip clip_;
};

}  // namespace

RETORT_PLUGIN_LIST("ppo", "1.1.0", "Apache-2.0",
                   retort::component<Ppo>("rl.ppo", "1.1.0",
                                          "proximal policy optimisation with a value head: generalised advantages, "
                                          "clipped ratio and value, entropy bonus, KL in the token rewards"));
