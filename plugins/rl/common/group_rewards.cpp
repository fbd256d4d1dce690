// The formulas of group_rewards.h, in f64.
#include "group_rewards.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "returns.h"

namespace retort::rl {

bool group_advantages(Scale scale, double epsilon, std::span<const double> rewards, std::span<double> advantages) {
  const auto count = static_cast<double>(rewards.size());
  double mean = 0;
  for (std::size_t g = 0; g < rewards.size(); ++g) {
    if (!std::isfinite(rewards[g]))
      throw std::invalid_argument("reward of sample " + std::to_string(g) + ": expected a finite number, found " +
                                  std::to_string(rewards[g]));
    mean += rewards[g] / count;
  }
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  if (*low == *high) {  // compared exactly: a rounded standard deviation of equal rewards need not be 0
    std::fill(advantages.begin(), advantages.end(), 0.0);
    return false;
  }
  double squares = 0;
  for (const double reward : rewards) squares += (reward - mean) * (reward - mean);
  const double divisor = scale == Scale::std_unbiased ? std::sqrt(squares / (count - 1)) + epsilon : 1.0;
  for (std::size_t g = 0; g < rewards.size(); ++g) advantages[g] = (rewards[g] - mean) / divisor;
  return true;
}

GroupRewards::GroupRewards(const GroupParams& params)
    : params_(params), scale_(params.scale == "none" ? Scale::none : Scale::std_unbiased) {
  if (params_.reward_normalisation == "after_adding" && !params_.part_weights.empty())
    throw std::invalid_argument(
        "part_weights: weigh rewards that are normalised each by itself: expected none with reward_normalisation "
        "\"after_adding\", found " +
        std::to_string(params_.part_weights.size()) + "; the stage's reward_weights weigh the sum");
}

GroupRewards::Scores GroupRewards::scores(const RlBatch& batch, std::span<const double> penalties) const {
  const std::int64_t rows = batch.mask.rows();
  expect_shape(batch.mask, "mask", rows, batch.mask.columns());
  expect_shape(batch.rewards, "rewards", rows);
  if (rows % params_.group_size != 0)
    throw std::invalid_argument("rewards: expected a multiple of the group size " + std::to_string(params_.group_size) +
                                ", found " + std::to_string(rows) + " rows");
  return params_.reward_normalisation == "after_adding" ? added(batch, penalties) : each(batch, penalties);
}

GroupRewards::Scores GroupRewards::added(const RlBatch& batch, std::span<const double> penalties) const {
  const auto rows = static_cast<std::size_t>(batch.mask.rows()), group = static_cast<std::size_t>(params_.group_size);
  Scores scores{std::vector<double>(rows), {}};
  std::vector<double> rewards(group);
  for (std::size_t first = 0; first < rows; first += group) {
    for (std::size_t g = 0; g < group; ++g)
      rewards[g] = static_cast<double>(batch.rewards[static_cast<std::int64_t>(first + g)]);
    const std::span<double> out(scores.advantages.data() + first, group);
    const bool differ = group_advantages(scale_, params_.epsilon, rewards, out);
    scores.equal.push_back(!differ);
    if (!differ || penalties.empty()) continue;
    for (std::size_t g = 0; g < group; ++g) rewards[g] += penalties[first + g];
    group_advantages(scale_, params_.epsilon, rewards, out);
  }
  return scores;
}

GroupRewards::Scores GroupRewards::each(const RlBatch& batch, std::span<const double> penalties) const {
  const auto rows = static_cast<std::size_t>(batch.mask.rows()), group = static_cast<std::size_t>(params_.group_size);
  expect_shape(batch.reward_parts, "reward_parts", batch.mask.rows(), -1);
  const auto parts = static_cast<std::size_t>(batch.reward_parts.columns());
  if (!params_.part_weights.empty() && params_.part_weights.size() != parts)
    throw std::invalid_argument("part_weights: expected one for each of the reward's " + std::to_string(parts) +
                                " scores, found " + std::to_string(params_.part_weights.size()));
  Scores scores{std::vector<double>(rows, 0.0), {}};
  std::vector<double> rewards(group), found(group);
  for (std::size_t first = 0; first < rows; first += group) {
    bool differ = false;
    const auto add = [&](double weight) {
      const bool differs = group_advantages(scale_, params_.epsilon, rewards, found);
      for (std::size_t g = 0; g < group; ++g) scores.advantages[first + g] += weight * found[g];
      return differs;
    };
    for (std::size_t k = 0; k < parts; ++k) {
      const double weight = params_.part_weights.empty() ? 1 : params_.part_weights[k];
      for (std::size_t g = 0; g < group; ++g)
        rewards[g] =
            static_cast<double>(batch.reward_parts(static_cast<std::int64_t>(first + g), static_cast<std::int64_t>(k)));
      if (weight != 0 && add(weight)) differ = true;
    }
    scores.equal.push_back(!differ);
    if (!differ || penalties.empty()) continue;
    std::copy_n(penalties.begin() + static_cast<std::ptrdiff_t>(first), group, rewards.begin());
    add(1);
  }
  normalise_step(batch, scores);
  return scores;
}

/// TRL divides by std + ε over samples, verl whitens over tokens. Groups without spread stay at exactly 0.
void GroupRewards::normalise_step(const RlBatch& batch, Scores& scores) const {
  const auto rows = scores.advantages.size();
  if (params_.reward_normalisation == "each_by_samples") {
    if (rows < 2) return;
    const std::vector<double> sums = scores.advantages;
    group_advantages(Scale::std_unbiased, params_.epsilon, sums, scores.advantages);
  } else {
    std::vector<double> tokens;
    std::vector<std::size_t> begins;
    for (std::size_t row = 0; row < rows; ++row) {
      begins.push_back(tokens.size());
      for (std::int64_t t = 0; t < batch.mask.columns(); ++t)
        if (batch.mask(static_cast<std::int64_t>(row), t) > 0) tokens.push_back(scores.advantages[row]);
    }
    begins.push_back(tokens.size());
    whiten(tokens);
    for (std::size_t row = 0; row < rows; ++row)
      if (begins[row] < begins[row + 1]) scores.advantages[row] = tokens[begins[row]];
  }
  for (std::size_t row = 0; row < rows; ++row)
    if (scores.equal[row / static_cast<std::size_t>(params_.group_size)]) scores.advantages[row] = 0;
}

Metrics GroupRewards::write(const RlBatch& batch, const Scores& scores, const RlAdvantages& out) const {
  const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
  expect_shape(out.advantages, "advantages", rows, positions);
  if (out.keep) expect_shape(out.keep, "keep", rows);
  double reward = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const bool equal = scores.equal[static_cast<std::size_t>(r / params_.group_size)];
    reward += static_cast<double>(batch.rewards[r]);
    if (out.keep && equal && params_.drop_equal_groups) out.keep[r] = 0.0F;
    for (std::int64_t t = 0; t < positions; ++t)
      out.advantages(r, t) = static_cast<float>(scores.advantages[static_cast<std::size_t>(r)]) * batch.mask(r, t);
  }
  const auto equal = static_cast<double>(std::count(scores.equal.begin(), scores.equal.end(), true));
  return {{"mean_reward", reward / static_cast<double>(std::max<std::int64_t>(rows, 1))},
          {"equal_groups", equal},
          {"dropped_groups", params_.drop_equal_groups ? equal : 0.0}};
}

}  // namespace retort::rl
