// The formulas of rtn.h.
#include "rtn.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::quantize {

GroupScale scale_of_range(double low, double high, std::int32_t bits, bool symmetric) {
  const double levels = std::exp2(bits) - 1;
  GroupScale group;
  group.scale = symmetric ? std::max(-low, high) / (std::exp2(bits - 1) - 1) : (high - low) / levels;
  if (static_cast<float>(group.scale) == 0.0f) group.scale = 1;  // zeros, or weights below the smallest f32 scale
  if (!symmetric)
    group.zero_point = static_cast<std::int32_t>(std::clamp(std::nearbyint(-low / group.scale), 0.0, levels));
  return group;
}

GroupScale rounded_to_bf16(GroupScale group) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(group.scale));
  const float rounded = std::bit_cast<float>((bits + 0x7FFFU + (bits >> 16U & 1U)) & 0xFFFF0000U);
  group.scale = rounded > 0 && std::isfinite(rounded) ? static_cast<double>(rounded) : group.scale;
  return group;
}

GroupScale group_scale(std::span<const float> weights, std::int32_t bits, bool symmetric) {
  double low = 0, high = 0;  // 0 is always representable
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i]))
      throw std::invalid_argument("weight " + std::to_string(i) + ": expected a finite number, found " +
                                  std::to_string(weights[i]));
    low = std::min(low, static_cast<double>(weights[i]));
    high = std::max(high, static_cast<double>(weights[i]));
  }
  return scale_of_range(low, high, bits, symmetric);
}

std::int32_t code_of(double weight, const GroupScale& group, std::int32_t bits, bool symmetric) {
  const double lowest = symmetric ? -std::exp2(bits - 1) : 0;
  const double rounded = std::nearbyint(weight / group.scale) + group.zero_point;
  return static_cast<std::int32_t>(std::clamp(rounded, lowest, lowest + std::exp2(bits) - 1));
}

double restored(std::int32_t code, const GroupScale& group) {
  return static_cast<double>(static_cast<float>(group.scale)) * (code - group.zero_point);
}

}  // namespace retort::quantize
