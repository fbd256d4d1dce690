// See taylor.h.
#include "taylor.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::prune {

TaylorImportance::TaylorImportance(TaylorMeasure measure, std::int64_t columns)
    : measure_(measure), sums_(static_cast<std::size_t>(columns), 0.0) {}

void TaylorImportance::add(std::span<const float> weights, std::span<const float> gradients) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t column = i % sums_.size();
    const double weight = static_cast<double>(weights[i]), gradient = static_cast<double>(gradients[i]);
    if (!std::isfinite(weight) || !std::isfinite(gradient))
      throw std::invalid_argument("row " + std::to_string(i / sums_.size()) + ", column " + std::to_string(column) +
                                  ": expected a finite weight and gradient, found " + std::to_string(weight) + " and " +
                                  std::to_string(gradient));
    if (measure_ == TaylorMeasure::first_order)
      sums_[column] += weight * gradient;
    else if (measure_ == TaylorMeasure::elements)
      sums_[column] += std::abs(weight * gradient);
    else
      sums_[column] += weight * weight * gradient / 2;
  }
}

std::vector<float> TaylorImportance::of_groups(std::int64_t group) const {
  std::vector<float> result;
  const auto width = static_cast<std::size_t>(group);
  for (std::size_t begin = 0; begin < sums_.size(); begin += width) {
    double sum = 0;
    for (std::size_t i = begin; i < begin + width; ++i) sum += sums_[i];
    result.push_back(static_cast<float>(std::abs(sum)));
  }
  return result;
}

}  // namespace retort::prune
