// rl.opd: on-policy distillation as reinforcement learning (Agarwal et al., arXiv 2306.13649, as a policy gradient;
// Thinking Machines, "On-policy distillation", 2025). Every token of the student's own answer earns
//   A_t = −coefficient·(log q_student − log p_teacher) + task_weight·A_task     a constant, not discounted
// and costs −A_t·log q, or the clipped ratio's loss where several updates learn from one batch. The stage computes the
// difference from its input "teacher" (retort.rl/1: TOKEN_REWARDS) with the weight teacher_weight, which is 1 for an
// algorithm that asks for it.
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "group_rewards.h"
#include "objective.h"

namespace {

class Opd final : public retort::RlAlgorithm {
 public:
  struct Params : retort::rl::GroupParams, retort::rl::ObjectiveParams, retort::rl::ClipParams, retort::rl::KlParams {
    double coefficient = 1, task_weight = 0;
    std::string loss = "log_prob";
    Params() {
      group_size = 1;
      drop_equal_groups = false;
    }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group(set, 1);
    retort::rl::add_kl(retort::rl::add_objective(retort::rl::add_clip(set)), retort::rl::kl_in_the_loss);
    return set.number("coefficient", &Params::coefficient)
        .at_least(0)
        .doc("of what the teacher says")
        .number("task_weight", &Params::task_weight)
        .at_least(0)
        .doc("of the advantage that the task's reward gives among a prompt's samples; 0: the reward is not looked at")
        .string("loss", &Params::loss)
        .one_of({"log_prob", "clipped_ratio"})
        .doc("−A·log π, whatever the ratio, or PPO's clipped loss, which several updates of one batch want");
  }
  explicit Opd(const Params& params)
      : params_(params), rewards_(params), objective_(params, static_cast<const retort::rl::KlParams&>(params)) {
    if (params.task_weight > 0 && params.group_size < 2)
      throw std::invalid_argument(
          "group_size: expected at least 2 with task_weight, found 1: one sample's reward less its mean is 0");
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    objective_.add_to(wanted);
    wanted.signals |= RETORT_SIGNAL_TOKEN_REWARDS;
    return wanted;
  }

  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    expect_shape(batch.token_rewards, "token_rewards", rows, positions);
    expect_shape(out.advantages, "advantages", rows, positions);
    retort::rl::GroupRewards::Scores task{std::vector<double>(static_cast<std::size_t>(rows), 0.0), {}};
    if (params_.task_weight > 0) task = rewards_.scores(batch, {});
    double reward = 0, said = 0, tokens = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      reward += static_cast<double>(batch.rewards[r]);
      for (std::int64_t t = 0; t < positions; ++t) {
        const bool own = batch.mask(r, t) > 0;
        const double teacher = own ? params_.coefficient * static_cast<double>(batch.token_rewards(r, t)) : 0;
        said += teacher;
        tokens += own ? 1 : 0;
        out.advantages(r, t) =
            own ? static_cast<float>(teacher + params_.task_weight * task.advantages[static_cast<std::size_t>(r)])
                : 0.0F;
      }
    }
    return {{"mean_reward", reward / static_cast<double>(std::max<std::int64_t>(rows, 1))},
            {"teacher_advantage", said / std::max(tokens, 1.0)}};
  }

  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    const bool by_log_prob = params_.loss == "log_prob";
    const retort::rl::Clip clip = params_.clip();
    return objective_.loss(batch, gradient, [&](const retort::rl::TokenInputs& at) {
      if (by_log_prob) return retort::rl::TokenLoss{-at.advantage * at.log_prob, -at.advantage, 0, false};
      return retort::rl::clipped_surrogate(&clip, at.advantage, at.log_prob, at.old_log_prob);
    });
  }

 private:
  Params params_;
  retort::rl::GroupRewards rewards_;
  retort::rl::Objective objective_;
};

}  // namespace

RETORT_PLUGIN_LIST("opd", "1.0.0", "Apache-2.0",
                   retort::component<Opd>("rl.opd", "1.0.0",
                                          "on-policy distillation: every token earns what the teacher thinks of it "
                                          "more than the student, beside the task's reward if wanted"));
