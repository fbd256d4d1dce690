// See magnitude.h.
#include "magnitude.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort::sparsify {

void magnitude_mask(std::span<const float> weights, std::int64_t columns, Scope scope, const Pattern& pattern,
                    std::span<std::uint8_t> mask) {
  const auto width = static_cast<std::size_t>(columns);
  std::vector<double> scores;
  scores.reserve(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i]))
      throw std::invalid_argument("row " + std::to_string(i / width) + ", column " + std::to_string(i % width) +
                                  ": expected a finite weight, found " + std::to_string(weights[i]));
    scores.push_back(std::abs(static_cast<double>(weights[i])));
  }
  if (scope == Scope::matrix) return mask_least(scores, pattern, mask);
  for (std::size_t begin = 0; begin < scores.size(); begin += width)
    mask_least(std::span(scores).subspan(begin, width), pattern, mask.subspan(begin, width));
}

}  // namespace retort::sparsify
