// The formula of rloo.h, in f64.
#include "rloo.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::rl {

bool leave_one_out(std::span<const double> rewards, std::span<double> advantages) {
  double sum = 0;
  for (std::size_t g = 0; g < rewards.size(); ++g) {
    if (!std::isfinite(rewards[g]))
      throw std::invalid_argument("reward of sample " + std::to_string(g) + ": expected a finite number, found " +
                                  std::to_string(rewards[g]));
    sum += rewards[g];
  }
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  if (*low == *high) {  // compared exactly: the rounded mean of equal rewards need not be their value
    std::fill(advantages.begin(), advantages.end(), 0.0);
    return false;
  }
  const auto others = static_cast<double>(rewards.size() - 1);
  for (std::size_t g = 0; g < rewards.size(); ++g) advantages[g] = rewards[g] - (sum - rewards[g]) / others;
  return true;
}

}  // namespace retort::rl
