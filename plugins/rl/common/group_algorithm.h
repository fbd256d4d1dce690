// What algorithms without a critic have in common: advantages relative to the prompt's other samples, and a loss of
// each token that is theirs alone.
#pragma once

#include <retort/rl.hpp>
#include <vector>

#include "group_rewards.h"
#include "objective.h"

namespace retort::rl {

/// Parameters of all of them; `kl` is in the loss.
struct GroupAlgorithmParams : GroupParams, ObjectiveParams, KlParams {};

/// Adds the parameters of all of them.
template <typename P>
ParameterSet<P>& add_group_algorithm(ParameterSet<P>& set) {
  return add_kl(add_objective(add_group(set)), kl_in_the_loss);
}

class GroupAlgorithm : public RlAlgorithm {
 public:
  explicit GroupAlgorithm(const GroupAlgorithmParams& params)
      : rewards_(params), objective_(params, static_cast<const KlParams&>(params)) {}

  RlRequirements requirements() const override {
    RlRequirements wanted;
    wanted.group_size = rewards_.group_size();
    objective_.add_to(wanted);
    return wanted;
  }
  Metrics advantages(const RlBatch& batch, const RlAdvantages& out) override {
    return rewards_.write(batch, rewards_.scores(batch, penalties(batch)), out);
  }
  Result loss(const RlBatch& batch, const RlGradient& gradient) override {
    return objective_.loss(batch, gradient, [this](const TokenInputs& inputs) { return token_loss(inputs); });
  }

 protected:
  virtual TokenLoss token_loss(const TokenInputs& inputs) const = 0;
  /// [R], added to the rewards of groups whose rewards differ; empty: none.
  virtual std::vector<double> penalties(const RlBatch& /*batch*/) const { return {}; }

 private:
  GroupRewards rewards_;
  Objective objective_;
};

/// Parameters of those that clip the ratio of every token, as PPO does.
struct ClippedGroupParams : GroupAlgorithmParams, ClipParams {};

class ClippedGroupAlgorithm : public GroupAlgorithm {
 public:
  explicit ClippedGroupAlgorithm(const ClippedGroupParams& params) : GroupAlgorithm(params), clip_(params.clip()) {}

 protected:
  TokenLoss token_loss(const TokenInputs& at) const override {
    return clipped_surrogate(&clip_, at.advantage, at.log_prob, at.old_log_prob);
  }

 private:
  Clip clip_;
};

}  // namespace retort::rl
