// See hqq.h.
#include "hqq.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace retort::quantize {

namespace {

double mean_error(std::span<const float> weights, const AffineGroup& group, double highest,
                  std::vector<double>& codes) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double weight = static_cast<double>(weights[i]);
    codes[i] = std::clamp(std::nearbyint(weight / group.scale + group.zero), 0.0, highest);
    sum += std::abs(weight - group.scale * (codes[i] - group.zero));
  }
  return sum / static_cast<double>(weights.size());
}

double shrunk(double error, double penalty, double norm) {
  const double size = std::abs(error);
  if (size == 0) return 0;
  return std::copysign(std::max(0.0, size - std::pow(size, norm - 1) / penalty), error);
}

/// Zero, and with fit_scale scale, by least squares of the weights without their shrunk errors.
AffineGroup moved(std::span<const float> weights, const AffineGroup& group, const std::vector<double>& codes,
                  double penalty, const HalfQuadraticOptions& options) {
  double zeros = 0, product = 0, square = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double weight = static_cast<double>(weights[i]), step = codes[i] - group.zero;
    const double target = weight - shrunk(weight - group.scale * step, penalty, options.norm);
    zeros += codes[i] - target / group.scale;
    product += target * step;
    square += step * step;
  }
  const bool scales = options.fit_scale && square > 0 && product > 0;
  return {scales ? product / square : group.scale, zeros / static_cast<double>(weights.size())};
}

}  // namespace

HalfQuadraticFit half_quadratic(std::span<const float> weights, const AffineGroup& start, double highest,
                                const HalfQuadraticOptions& options,
                                const std::function<AffineGroup(const AffineGroup&)>& stored) {
  HalfQuadraticFit fit{start, {}};
  std::vector<double> codes(weights.size());
  AffineGroup group = start;
  double best = std::numeric_limits<double>::infinity(), penalty = options.penalty;
  for (std::int64_t iteration = 0; iteration < options.iterations; ++iteration) {
    const double error = mean_error(weights, group, highest, codes);
    fit.errors.push_back(error);
    if (!(error < best)) break;
    best = error;
    fit.group = group;
    group = stored(moved(weights, group, codes, penalty, options));
    penalty *= options.growth;
  }
  return fit;
}

double output_error(std::span<const float> weights, const CodedRow& row,
                    const std::function<std::span<const float>(std::int64_t)>& hessian) {
  const std::size_t width = weights.size() / row.scales.size();
  std::vector<double> difference(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    difference[i] = static_cast<double>(weights[i]) - restored(row.codes[i], row.scales[i / width]);
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::span<const float> line = hessian(static_cast<std::int64_t>(i));
    double product = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) product += static_cast<double>(line[j]) * difference[j];
    sum += difference[i] * product;
  }
  return sum;
}

std::int64_t half_quadratic_row(std::span<const float> weights, const CodeGrid& grid,
                                const HalfQuadraticOptions& options, CodedRow& row) {
  if (grid.symmetric) throw std::invalid_argument("symmetric: expected false, since the method moves zero points");
  row_scales(weights, grid, {}, row.scales);
  const std::size_t width = weights.size() / row.scales.size();
  const auto stored = [&](const AffineGroup& group) -> AffineGroup {
    const double scale = grid.bf16_scales && grid.group_size > 0 ? rounded_to_bf16(group.scale) : group.scale;
    return {static_cast<double>(static_cast<float>(scale)),
            std::clamp(std::nearbyint(group.zero), 0.0, grid.highest())};
  };
  std::int64_t iterations = 0;
  for (std::size_t q = 0; q < row.scales.size(); ++q) {
    GroupScale& scale = row.scales[q];
    const std::span<const float> group = weights.subspan(q * width, width);
    const AffineGroup start{scale.scale, static_cast<double>(scale.zero_point)};
    const HalfQuadraticFit fit = half_quadratic(group, start, grid.highest(), options, stored);
    iterations += static_cast<std::int64_t>(fit.errors.size());
    scale = {fit.group.scale, static_cast<std::int32_t>(fit.group.zero)};
    for (std::size_t i = 0; i < width; ++i)
      row.codes[q * width + i] = code_of(static_cast<double>(group[i]), scale, grid);
  }
  return iterations;
}

}  // namespace retort::quantize
