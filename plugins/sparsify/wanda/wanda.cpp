// See wanda.h.
#include "wanda.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort::sparsify {

namespace {

/// The `count` least of `scores` get 0.
void drop_least(std::span<const double> scores, std::size_t count, std::span<std::uint8_t> mask) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  for (std::size_t i = 0; i < count; ++i) mask[order[i]] = 0;
}

}  // namespace

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
  std::fill(mask.begin(), mask.end(), std::uint8_t{1});
  if (pattern.of <= 0)
    return drop_least(scores, static_cast<std::size_t>(pattern.fraction * static_cast<double>(scores.size())), mask);
  const auto of = static_cast<std::size_t>(pattern.of), gone = of - static_cast<std::size_t>(pattern.keep);
  if (scores.size() % of != 0)
    throw std::invalid_argument("pattern: expected a multiple of " + std::to_string(of) + " columns, found " +
                                std::to_string(scores.size()));
  for (std::size_t begin = 0; begin < scores.size(); begin += of)
    drop_least(std::span(scores).subspan(begin, of), gone, mask.subspan(begin, of));
}

}  // namespace retort::sparsify
