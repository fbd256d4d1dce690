#include "train/teacher_reward.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace retort::train {
namespace {

template <typename Measure>
double mean_of(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& mask,
               const Measure& measure) {
  double sum = 0, tokens = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) continue;
    sum += measure(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    ++tokens;
  }
  return tokens > 0 ? sum / tokens : 0;
}

}  // namespace

double teacher_weight(const host::RlCall& algorithm, bool has_teacher, double weight) {
  if (!has_teacher) {
    if (weight > 0)
      throw std::invalid_argument(
          "teacher_weight: weighs what a teacher says, and none is given: add the input "
          "\"teacher\" or leave the weight out");
    return 0;
  }
  if (weight > 0) return weight;
  if (algorithm.wants(RETORT_SIGNAL_TOKEN_REWARDS)) return 1;
  throw std::invalid_argument(
      "teacher: " + algorithm.id() +
      " asks for no token rewards and teacher_weight is 0, so that nothing would be learnt from "
      "it: set teacher_weight, or let the algorithm ask for TOKEN_REWARDS");
}

std::vector<float> teacher_rewards(const std::vector<float>& policy, const std::vector<float>& teacher, double weight) {
  std::vector<float> rewards(policy.size());
  for (std::size_t i = 0; i < rewards.size(); ++i)
    rewards[i] = static_cast<float>(-weight * (static_cast<double>(policy[i]) - static_cast<double>(teacher[i])));
  return rewards;
}

void add_rewards(std::vector<float>& sums, const std::vector<float>& rewards) {
  if (sums.empty()) sums.assign(rewards.size(), 0.0F);
  for (std::size_t i = 0; i < rewards.size(); ++i) sums[i] += rewards[i];
}

double mean_distance(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& mask) {
  return mean_of(a, b, mask, [](double difference) { return std::abs(difference); });
}
double mean_difference(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& mask) {
  return mean_of(a, b, mask, [](double difference) { return difference; });
}

}  // namespace retort::train
