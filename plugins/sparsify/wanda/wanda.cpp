// See wanda.h.
#include "wanda.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort::sparsify {

void wanda_mask(std::span<const float> weights, std::span<const float> square_sum, const Pattern& pattern,
                std::span<std::uint8_t> mask) {
  std::vector<double> scores;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (!std::isfinite(weights[j]) || !std::isfinite(square_sum[j]) || square_sum[j] < 0)
      throw std::invalid_argument(
          "column " + std::to_string(j) +
          ": expected a finite weight and a finite sum of squares that is not negative, found " +
          std::to_string(weights[j]) + " and " + std::to_string(square_sum[j]));
    scores.push_back(std::abs(static_cast<double>(weights[j])) * std::sqrt(static_cast<double>(square_sum[j])));
  }
  mask_least(scores, pattern, mask);
}

}  // namespace retort::sparsify
