// The formulas of code_grid.h.
#include "code_grid.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::quantize {

namespace {

/// Nearest integer, ties to even, of |x| < 2^51: adding 1.5·2^52 leaves no bits for a fraction. Unlike nearbyint it
/// needs no call.
inline double rounded(double x) {
  constexpr double shift = 6755399441055744.0;
  return (x + shift) - shift;
}

/// code − zero point: clamped before rounding, which gives the same, since the bounds are integers.
inline double step_of(double weight, const GroupScale& group, double lowest, double highest) {
  return rounded(std::clamp(weight / group.scale, lowest, highest));
}

GroupScale stored(GroupScale group, const CodeGrid& grid) {
  if (grid.bf16_scales && grid.group_size > 0) group.scale = rounded_to_bf16(group.scale);
  if (static_cast<float>(group.scale) == 0.0f) group.scale = 1;  // zeros, or weights below the smallest f32 scale
  return group;
}

struct Fit {
  double loss = 0, product = 0, square = 0;  ///< Σi·(w−ŵ)², Σi·w·q, Σi·q²
};

Fit fit_of(std::span<const float> weights, std::span<const float> importance, const GroupScale& group,
           const CodeGrid& grid) {
  const double lowest = grid.lowest() - group.zero_point, highest = grid.highest() - group.zero_point;
  const double scale = static_cast<double>(static_cast<float>(group.scale));
  Fit fit;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double weight = static_cast<double>(weights[i]);
    const double q = step_of(weight, group, lowest, highest);
    const double share = importance.empty() ? 1.0 : static_cast<double>(importance[i]);
    const double error = weight - scale * q;
    fit.loss += share * error * error;
    fit.product += share * weight * q;
    fit.square += share * q * q;
  }
  return fit;
}

class ScaleSearch {
 public:
  ScaleSearch(std::span<const float> weights, std::span<const float> importance, const CodeGrid& grid,
              const GroupScale& start)
      : weights_(weights), importance_(importance), grid_(grid), best_(start) {
    loss_ = fit_of(weights, importance, start, grid).loss;
  }

  GroupScale best() {
    const GroupScale start = best_;
    for (std::int64_t k = -grid_.search_steps; k <= grid_.search_steps; ++k) {
      const double factor = 1 - .75 * static_cast<double>(k) / static_cast<double>(grid_.search_steps);
      const Fit fit = attempt({start.scale / factor, start.zero_point});
      if (fit.square > 0 && fit.product != 0) attempt({fit.product / fit.square, start.zero_point});
    }
    return best_;
  }

 private:
  Fit attempt(GroupScale group) {
    group = stored(group, grid_);
    const Fit fit = fit_of(weights_, importance_, group, grid_);
    if (fit.loss < loss_ && std::isfinite(static_cast<float>(group.scale))) loss_ = fit.loss, best_ = group;
    return fit;
  }

  std::span<const float> weights_, importance_;
  const CodeGrid& grid_;
  GroupScale best_;
  double loss_ = 0;
};

}  // namespace

double rounded_to_bf16(double scale) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(scale));
  const float nearest = std::bit_cast<float>((bits + 0x7FFFU + (bits >> 16U & 1U)) & 0xFFFF0000U);
  return nearest != 0 && std::isfinite(nearest) ? static_cast<double>(nearest) : scale;
}

GroupScale scale_of_range(double low, double high, const CodeGrid& grid) {
  const double half = std::exp2(grid.bits - 1), largest = std::max(-low, high);
  GroupScale group;
  if (!grid.symmetric)
    group.scale = (high - low) / (2 * half - 1);
  else if (grid.range == Range::absolute_max)
    group.scale = largest / (half - 1);
  else if (grid.range == Range::half_step)
    group.scale = largest / (half - .5);
  else
    group.scale = (-low >= high ? largest : -largest) / half;
  group = stored(group, grid);
  if (!grid.symmetric)
    group.zero_point = static_cast<std::int32_t>(std::clamp(rounded(-low / group.scale), 0.0, grid.highest()));
  return group;
}

GroupScale group_scale(std::span<const float> weights, const CodeGrid& grid, std::span<const float> importance) {
  double low = 0, high = 0;  // 0 is always representable
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i]))
      throw std::invalid_argument("weight " + std::to_string(i) + ": expected a finite number, found " +
                                  std::to_string(weights[i]));
    low = std::min(low, static_cast<double>(weights[i]));
    high = std::max(high, static_cast<double>(weights[i]));
  }
  const GroupScale group = scale_of_range(low, high, grid);
  return grid.search_steps > 0 ? ScaleSearch(weights, importance, grid, group).best() : group;
}

void row_scales(std::span<const float> weights, const CodeGrid& grid, std::span<const float> importance,
                std::span<GroupScale> scales) {
  const std::size_t width = weights.size() / scales.size();
  for (std::size_t q = 0; q < scales.size(); ++q)
    scales[q] = group_scale(weights.subspan(q * width, width), grid,
                            importance.empty() ? importance : importance.subspan(q * width, width));
}

std::int32_t code_of(double weight, const GroupScale& group, const CodeGrid& grid) {
  const double zero = group.zero_point;
  return static_cast<std::int32_t>(step_of(weight, group, grid.lowest() - zero, grid.highest() - zero)) +
         group.zero_point;
}

double restored(std::int32_t code, const GroupScale& group) {
  return static_cast<double>(static_cast<float>(group.scale)) * (code - group.zero_point);
}

void round_row(std::span<const float> weights, const CodeGrid& grid, std::span<const float> importance, CodedRow& row) {
  row_scales(weights, grid, importance, row.scales);
  const std::size_t width = weights.size() / row.scales.size();
  for (std::size_t i = 0; i < weights.size(); ++i)
    row.codes[i] = code_of(static_cast<double>(weights[i]), row.scales[i / width], grid);
}

}  // namespace retort::quantize
