// The formulas of returns.h, in f64.
#include "returns.h"

#include <algorithm>
#include <cmath>

namespace retort::rl {

void reward_to_go(double gamma, std::span<const double> rewards, std::span<const float> mask,
                  std::span<double> returns) {
  double next = 0;
  for (std::size_t t = rewards.size(); t-- > 0;) returns[t] = mask[t] > 0 ? next = rewards[t] + gamma * next : 0;
}

void generalised_advantages(const GaeOptions& options, std::span<const double> rewards, std::span<const float> values,
                            std::span<const float> mask, std::span<double> advantages, std::span<double> returns) {
  double next_value = 0, next_advantage = 0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    if (!(mask[t] > 0)) {
      advantages[t] = returns[t] = 0;
      continue;
    }
    const double value = static_cast<double>(values[t]);
    advantages[t] = rewards[t] + options.gamma * next_value - value + options.gamma * options.lambda * next_advantage;
    returns[t] = advantages[t] + value;
    next_value = value;
    next_advantage = advantages[t];
  }
}

void whiten(std::span<double> advantages) {
  if (advantages.empty()) return;
  const auto [low, high] = std::minmax_element(advantages.begin(), advantages.end());
  if (*low == *high) {  // compared exactly: the rounded deviation of equal numbers need not be 0
    std::fill(advantages.begin(), advantages.end(), 0.0);
    return;
  }
  const auto count = static_cast<double>(advantages.size());
  double mean = 0, squares = 0;
  for (const double advantage : advantages) mean += advantage / count;
  for (const double advantage : advantages) squares += (advantage - mean) * (advantage - mean);
  const double scale = 1 / std::sqrt(squares / (count - 1) + 1e-8);
  for (double& advantage : advantages) advantage = (advantage - mean) * scale;
}

void write_token_advantages(const RlBatch& batch, std::span<const double> of_tokens, const RlAdvantages& out) {
  std::size_t next = 0;
  for (std::int64_t r = 0; r < batch.mask.rows(); ++r)
    for (std::int64_t t = 0; t < batch.mask.columns(); ++t)
      out.advantages(r, t) = batch.mask(r, t) > 0 ? static_cast<float>(of_tokens[next++]) : 0.0F;
}

Metrics reward_metrics(const RlBatch& batch, bool kl, double divergence, std::size_t tokens) {
  double reward = 0;
  for (std::int64_t r = 0; r < batch.mask.rows(); ++r) reward += static_cast<double>(batch.rewards[r]);
  Metrics metrics{{"mean_reward", reward / static_cast<double>(std::max<std::int64_t>(batch.mask.rows(), 1))}};
  if (kl) metrics.emplace_back("kl", divergence / static_cast<double>(std::max<std::size_t>(tokens, 1)));
  return metrics;
}

}  // namespace retort::rl
