#include "train/answers.h"

#include <stdexcept>

namespace retort::train {

double combined_score(const std::vector<double>& scores, const std::vector<double>& weights) {
  if (weights.empty()) return scores.at(0);
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * scores.at(i);
  return sum;
}

void expect_weights(const std::vector<double>& weights, std::size_t scores) {
  if (!weights.empty() && weights.size() != scores)
    throw std::invalid_argument("reward_weights: expected one for each of the reward's " + std::to_string(scores) +
                                " scores, found " + std::to_string(weights.size()));
}

}  // namespace retort::train
