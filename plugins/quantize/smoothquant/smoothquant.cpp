// See smoothquant.h.
#include "smoothquant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace retort::quantize {

namespace {

std::vector<double> shared_largest(const char* name, std::span<const float> values, const SharedChannels& shared) {
  std::vector<double> largest(values.size(), 0.0);
  const auto leader = [&](std::size_t j) {
    return static_cast<std::size_t>(shared.leader(static_cast<std::int64_t>(j)));
  };
  for (std::size_t j = 0; j < values.size(); ++j) {
    if (!std::isfinite(values[j]) || values[j] < 0)
      throw std::invalid_argument(std::string(name) + " of column " + std::to_string(j) +
                                  ": expected a finite number that is not negative, found " +
                                  std::to_string(values[j]));
    largest[leader(j)] = std::max(largest[leader(j)], static_cast<double>(values[j]));
  }
  for (std::size_t j = 0; j < values.size(); ++j) largest[j] = largest[leader(j)];
  return largest;
}

}  // namespace

std::vector<float> smoothquant_factors(std::span<const float> input, std::span<const float> weight, double alpha,
                                       const SharedChannels& shared) {
  const std::vector<double> inputs = shared_largest("absolute_max", input, shared),
                            weights = shared_largest("largest weight", weight, shared);
  std::vector<float> factors;
  for (std::size_t j = 0; j < inputs.size(); ++j) {
    const auto factor = static_cast<float>(std::pow(inputs[j], alpha) / std::pow(weights[j], 1 - alpha));
    const bool usable = inputs[j] > 0 && weights[j] > 0 && std::isnormal(factor) && std::isnormal(1 / factor);
    factors.push_back(usable ? factor : 1.0f);
  }
  return factors;
}

}  // namespace retort::quantize
