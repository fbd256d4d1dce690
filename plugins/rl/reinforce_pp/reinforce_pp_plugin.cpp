// rl.reinforce_pp: REINFORCE++ (Hu et al., arXiv 2501.03262), without a critic:
//   r_t = −β·KL_t + [t last]·r          (section 3, token-level KL penalty)
//   A_t = Σ_{i≥t} γ^{i−t}·r_i           over the response's own tokens; then whitened over all tokens of the step
// and PPO's clipped loss. With baseline group_mean (REINFORCE++-baseline) r is less the mean of the prompt's samples.
#include <algorithm>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "group_rewards.h"
#include "objective.h"
#include "returns.h"

namespace {

class ReinforcePp final : public retort::RlAlgorithm {
 public:
  struct Params : retort::rl::ObjectiveParams, retort::rl::ClipParams, retort::rl::KlParams {
    std::int64_t group_size = 1;
    double gamma = 1;
    std::string baseline = "none";
    bool token_rewards = false;
    Params() { kl_estimator = "k1"; }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_size(set, 1);
    retort::rl::add_kl(retort::rl::add_objective(retort::rl::add_clip(set)), retort::rl::kl_in_the_reward);
    return set.number("gamma", &Params::gamma)
        .above(0)
        .at_most(1)
        .doc("γ: discount of a later token's reward")
        .string("baseline", &Params::baseline)
        .one_of({"none", "group_mean"})
        .doc("the step's mean alone, by whitening, or first the mean of the prompt's samples (group_size 2 or more)")
        .boolean("token_rewards", &Params::token_rewards)
        .doc("add the rewards of single tokens (a teacher's)");
  }
  explicit ReinforcePp(const Params& params) : params_(params), objective_(params, {}), clip_(params.clip()) {
    if (params.baseline == "group_mean" && params.group_size < 2)
      throw std::invalid_argument(
          "group_size: expected at least 2 with baseline \"group_mean\", found 1, whose reward less its mean is 0");
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    objective_.add_to(wanted);
    if (params_.kl_coefficient > 0) wanted.signals |= RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    if (params_.token_rewards) wanted.signals |= RETORT_SIGNAL_TOKEN_REWARDS;
    return wanted;
  }

  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    check_step(batch, out);
    const std::int64_t rows = batch.mask.rows();
    const auto width = static_cast<std::size_t>(batch.mask.columns());
    const std::vector<double> baselines = baselines_of(batch);
    std::vector<double> rewards(width), returns(width), all;
    double divergence = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      divergence +=
          retort::rl::rewards_with_divergence(batch, r, params_, params_.token_rewards ? batch.token_rewards : none_,
                                              rewards, baselines[static_cast<std::size_t>(r)]);
      const std::span<const float> mask(batch.mask.row(r), width);
      retort::rl::reward_to_go(params_.gamma, rewards, mask, returns);
      for (std::size_t t = 0; t < width; ++t)
        if (mask[t] > 0) all.push_back(returns[t]);
    }
    retort::rl::whiten(all);
    retort::rl::write_token_advantages(batch, all, out);
    return retort::rl::reward_metrics(batch, params_.kl_coefficient > 0, divergence, all.size());
  }

  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    return objective_.loss(batch, gradient, [this](const retort::rl::TokenInputs& at) {
      return retort::rl::clipped_surrogate(&clip_, at.advantage, at.log_prob, at.old_log_prob);
    });
  }

 private:
  /// What each row's reward is less.
  std::vector<double> baselines_of(const retort::RlBatch& batch) const {
    const auto rows = static_cast<std::size_t>(batch.mask.rows()), group = static_cast<std::size_t>(params_.group_size);
    std::vector<double> baselines(rows, 0.0);
    if (params_.baseline == "none") return baselines;
    std::vector<double> rewards(group), centred(group);
    for (std::size_t first = 0; first < rows; first += group) {
      for (std::size_t g = 0; g < group; ++g)
        rewards[g] = static_cast<double>(batch.rewards[static_cast<std::int64_t>(first + g)]);
      retort::rl::group_advantages(retort::rl::Scale::none, 0, rewards, centred);
      for (std::size_t g = 0; g < group; ++g) baselines[first + g] = rewards[g] - centred[g];
    }
    return baselines;
  }

  void check_step(const retort::RlBatch& batch, const retort::RlAdvantages& out) const {
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    expect_shape(batch.mask, "mask", rows, positions);
    expect_shape(batch.rewards, "rewards", rows);
    expect_shape(out.advantages, "advantages", rows, positions);
    if (rows % params_.group_size != 0)
      throw std::invalid_argument("rewards: expected a multiple of the group size " +
                                  std::to_string(params_.group_size) + ", found " + std::to_string(rows) + " rows");
    if (params_.token_rewards) expect_shape(batch.token_rewards, "token_rewards", rows, positions);
    if (params_.kl_coefficient > 0) {
      expect_shape(batch.old_log_probs, "old_log_probs", rows, positions);
      expect_shape(batch.reference_log_probs, "reference_log_probs", rows, positions);
    }
  }

  Params params_;
  retort::rl::Objective objective_;
  retort::rl::Clip clip_;
  retort::TensorView<const float> none_;
};

}  // namespace

RETORT_PLUGIN_LIST(
    "reinforce_pp", "1.0.0", "Apache-2.0",
    retort::component<ReinforcePp>("rl.reinforce_pp", "1.0.0",
                                   "REINFORCE++: KL in the token rewards, reward-to-go whitened over the "
                                   "step, clipped ratio; optional baseline of the group"));
