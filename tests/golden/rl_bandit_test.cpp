// Every policy-gradient algorithm on a task that is small enough to see through: three prompts, answers of two tokens
// of four, a reward of the share of right tokens. A table of logits is the policy; the host's own code cuts a step into
// updates. Each reaches 95 % of the best reward, and with the reward's sign flipped none does.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "host/algorithm/rl_call.h"
#include "loss_parts.h"

namespace retort::golden {

namespace {

constexpr std::size_t contexts = 3, tokens = 2, vocabulary = 4;
constexpr std::array<std::array<std::size_t, tokens>, contexts> right = {{{1, 3}, {0, 2}, {3, 3}}};

/// Logits, values, and Adam over both.
class TablePolicy {
 public:
  using Row = std::array<double, vocabulary>;
  Row log_probs(std::size_t context, std::size_t t) const {
    Row row{};
    double sum = 0;
    for (std::size_t v = 0; v < vocabulary; ++v) sum += std::exp(weights_[index(context, t, v)]);
    for (std::size_t v = 0; v < vocabulary; ++v) row[v] = weights_[index(context, t, v)] - std::log(sum);
    return row;
  }
  double value(std::size_t context, std::size_t t) const { return weights_[index(context, t, vocabulary)]; }
  void add_log_prob_gradient(std::size_t context, std::size_t t, std::size_t token, double gradient) {
    const Row row = log_probs(context, t);
    for (std::size_t v = 0; v < vocabulary; ++v)
      gradient_[index(context, t, v)] += gradient * ((v == token ? 1 : 0) - std::exp(row[v]));
  }
  void add_value_gradient(std::size_t context, std::size_t t, double gradient) {
    gradient_[index(context, t, vocabulary)] += gradient;
  }
  void step() {
    ++steps_;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      mean_[i] = .9 * mean_[i] + .1 * gradient_[i];
      square_[i] = .95 * square_[i] + .05 * gradient_[i] * gradient_[i];
      const double corrected = mean_[i] / (1 - std::pow(.9, steps_)), scale = square_[i] / (1 - std::pow(.95, steps_));
      weights_[i] -= .1 * corrected / (std::sqrt(scale) + 1e-8);
      gradient_[i] = 0;
    }
  }
  double expected_reward() const {
    double sum = 0;
    for (std::size_t c = 0; c < contexts; ++c)
      for (std::size_t t = 0; t < tokens; ++t) sum += std::exp(log_probs(c, t)[right[c][t]]);
    return sum / (contexts * tokens);
  }

 private:
  static std::size_t index(std::size_t context, std::size_t t, std::size_t v) {
    return (context * tokens + t) * (vocabulary + 1) + v;
  }
  static constexpr std::size_t size = contexts * tokens * (vocabulary + 1);
  std::array<double, size> weights_{}, gradient_{}, mean_{}, square_{};
  double steps_ = 0;
};

struct Rollouts {
  host::RlStep step;
  std::vector<std::size_t> drawn;  ///< [R,T]
};

Rollouts sample(const TablePolicy& policy, std::int64_t group, double sign, std::mt19937& random) {
  Rollouts made;
  host::RlStep& step = made.step;
  step.prompts = 2 * contexts;
  step.group_size = group;
  step.positions = tokens;
  step.maximum_tokens = 10;  // nothing is cut
  std::uniform_real_distribution<double> uniform(0, 1);
  for (std::int64_t r = 0; r < step.rows(); ++r) {
    const auto context = static_cast<std::size_t>(r / group) % contexts;
    double reward = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const auto row = policy.log_probs(context, t);
      double rest = uniform(random);
      std::size_t token = 0;
      while (token + 1 < vocabulary && (rest -= std::exp(row[token])) > 0) ++token;
      const bool good = token == right[context][t];
      reward += good ? 1.0 / tokens : 0;
      made.drawn.push_back(token);
      step.mask.push_back(1);
      step.old_log_probs.push_back(static_cast<float>(row[token]));
      step.old_values.push_back(static_cast<float>(policy.value(context, t)));
      const double teacher = std::log(good ? .97 : .01);  // what a teacher thinks of the token more than the policy
      step.token_rewards.push_back(static_cast<float>(sign * (teacher - row[token])));
    }
    step.rewards.push_back(static_cast<float>(sign * reward));
    step.finished.push_back(1);
  }
  step.reward_parts = step.rewards;
  step.sampler_log_probs = step.old_log_probs;
  step.reference_log_probs.assign(step.old_log_probs.size(), static_cast<float>(-std::log(vocabulary)));
  return made;
}

void learn(TablePolicy& policy, const host::RlCall& algorithm, double sign, std::mt19937& random) {
  Rollouts rollouts = sample(policy, algorithm.wanted().group_size, sign, random);
  host::RlStep& step = rollouts.step;
  host::RlMetrics metrics;
  algorithm.advantages(step, metrics);
  for (const host::RlUpdate& update : host::rl_updates(step, algorithm.wanted(), random())) {
    if (update.rows.empty()) continue;
    host::RlPolicy now;
    for (const std::int64_t r : update.rows)
      for (std::size_t t = 0; t < tokens; ++t) {
        const auto context = static_cast<std::size_t>(r / step.group_size) % contexts;
        const std::size_t cell = static_cast<std::size_t>(r) * tokens + t;
        now.log_probs.push_back(static_cast<float>(policy.log_probs(context, t)[rollouts.drawn[cell]]));
        now.values.push_back(static_cast<float>(policy.value(context, t)));
        now.entropies.push_back(0);
      }
    const host::RlLoss loss = algorithm.loss(step, update, update.rows, now, true, metrics);
    for (std::size_t i = 0; i < loss.gradient.log_probs.size(); ++i) {
      const std::int64_t r = update.rows[i / tokens];
      const auto context = static_cast<std::size_t>(r / step.group_size) % contexts;
      const std::size_t t = i % tokens, cell = static_cast<std::size_t>(r) * tokens + t;
      policy.add_log_prob_gradient(context, t, rollouts.drawn[cell], static_cast<double>(loss.gradient.log_probs[i]));
      if (!loss.gradient.values.empty())
        policy.add_value_gradient(context, t, static_cast<double>(loss.gradient.values[i]));
    }
    policy.step();
  }
}

double reward_after(const host::RlCall& algorithm, double sign) {
  TablePolicy policy;
  std::mt19937 random(7);
  for (int step = 0; step < 150; ++step) learn(policy, algorithm, sign, random);
  return policy.expected_reward();
}

class Bandit : public ::testing::TestWithParam<Variant> {};

TEST_P(Bandit, ReachesTheBestRewardAndNotWithItsSignFlipped) {
  const LoadedComponent component(GetParam().library, GetParam().parameters);
  const host::RlCall algorithm(GetParam().name, component.instance(),
                               component.functions<retort_rl_v1>(RETORT_RL_INTERFACE));
  EXPECT_NEAR(TablePolicy().expected_reward(), .25, 1e-12);
  EXPECT_GE(reward_after(algorithm, 1), .95);
  EXPECT_LE(reward_after(algorithm, -1), .25);
}

using namespace std::string_literals;
const std::int64_t four = 4, two = 2;

INSTANTIATE_TEST_SUITE_P(
    All, Bandit,
    ::testing::Values(
        Variant{"grpo", GRPO_PLUGIN, {{"group_size", four}}},
        Variant{"grpo_two_updates",
                GRPO_PLUGIN,
                {{"group_size", four}, {"updates", two}, {"sampler_correction", "icepop"s}, {"dual_clip_cap", 3.0}}},
        Variant{"dr_grpo", DR_GRPO_PLUGIN, {{"group_size", four}}},
        Variant{"dapo", DAPO_PLUGIN, {{"group_size", four}}},
        Variant{"gspo", GSPO_PLUGIN, {{"group_size", four}, {"updates", two}}},
        Variant{"gspo_token", GSPO_PLUGIN, {{"group_size", four}, {"form", "token"s}}},
        Variant{"cispo", CISPO_PLUGIN, {{"group_size", four}, {"updates", two}}},
        Variant{"sapo", SAPO_PLUGIN, {{"group_size", four}, {"updates", two}}},
        Variant{"rloo", RLOO_PLUGIN, {{"group_size", four}}},
        Variant{"reinforce_pp", REINFORCE_PP_PLUGIN, {{"group_size", four}}},
        Variant{"reinforce_pp_baseline", REINFORCE_PP_PLUGIN, {{"group_size", four}, {"baseline", "group_mean"s}}},
        Variant{"opd", OPD_PLUGIN, {{"group_size", four}}},
        Variant{"opd_with_the_task", OPD_PLUGIN, {{"group_size", four}, {"task_weight", 1.0}}},
        Variant{"ppo", PPO_PLUGIN, {{"group_size", four}, {"value_coefficient", .5}}}),
    name_of);

}  // namespace

}  // namespace retort::golden
