// See awq.h.
#include "awq.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "row_chunks.h"
#include "vector_kernels.h"

namespace retort::quantize {

namespace {

using compression::dot;
using compression::for_row_chunks;

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// What the error `change` [I] of one row of weights does to its output.
double error_of(std::span<const float> change, const InputView& input) {
  double sum = 0;
  for (std::int64_t s = 0; s < input.rows; ++s) {
    const double product = static_cast<double>(dot(input.data + s * input.stride, change.data(), change.size()));
    sum += input.hessian ? static_cast<double>(change[at(s)]) * product / 2
                         : product * product / static_cast<double>(input.rows);
  }
  return sum;
}

/// Channels that share a factor get the mean over their channels.
std::vector<double> shared_mean(std::vector<double> values, const SharedChannels& shared) {
  std::vector<double> sums(values.size(), 0.0);
  for (std::size_t j = 0; j < values.size(); ++j)
    sums[at(shared.leader(static_cast<std::int64_t>(j)))] += values[j] / static_cast<double>(shared.members);
  for (std::size_t j = 0; j < values.size(); ++j) values[j] = sums[at(shared.leader(static_cast<std::int64_t>(j)))];
  return values;
}

/// W̄: mean over all rows of |w_j| / max of its group.
std::vector<double> weight_means(std::span<const WeightView> weights, std::size_t columns, const CodeGrid& grid) {
  std::vector<double> means(columns, 0.0);
  const auto width = at(grid.width(static_cast<std::int64_t>(columns)));
  double rows = 0;
  for (const WeightView& module : weights) {
    rows += static_cast<double>(module.rows);
    for (std::int64_t o = 0; o < module.rows; ++o)
      for (std::size_t begin = 0; begin < columns; begin += width) {
        const float* const group = module.data + o * module.stride + begin;
        float largest = 0;
        for (std::size_t i = 0; i < width; ++i) largest = std::max(largest, std::abs(group[i]));
        for (std::size_t i = 0; i < width && largest > 0; ++i)
          means[begin + i] += static_cast<double>(std::abs(group[i]) / largest);
      }
  }
  for (double& mean : means) mean /= rows;
  return means;
}

/// Values below 1e-4 of the largest become that. False where all are 0.
bool raise_small(std::vector<double>& values) {
  const double largest = *std::max_element(values.begin(), values.end());
  for (double& value : values) value = std::max(value, 1e-4 * largest);
  return largest > 0;
}

std::vector<float> normalised(const std::vector<double>& factors) {
  const auto [least, largest] = std::minmax_element(factors.begin(), factors.end());
  const double middle = std::sqrt(*least * *largest);
  std::vector<float> result;
  for (const double factor : factors) result.push_back(static_cast<float>(factor / middle));
  return result;
}

}  // namespace

double output_error(std::span<const WeightView> weights, std::span<const float> factors, const InputView& input,
                    const CodeGrid& grid, const std::function<void()>& poll) {
  double sum = 0, rows = 0;
  for (const WeightView& module : weights) {
    std::vector<double> errors(at(module.rows));
    for_row_chunks(module.rows, 16, [&](std::int64_t begin, std::int64_t end) {
      poll();
      std::vector<float> row(factors.size());
      CodedRow coded(static_cast<std::int64_t>(factors.size()), grid);
      const std::size_t width = at(grid.width(static_cast<std::int64_t>(factors.size())));
      for (std::int64_t o = begin; o < end; ++o) {
        const float* const weight = module.data + o * module.stride;
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = weight[i] * factors[i];
        round_row(row, grid, {}, coded);
        for (std::size_t i = 0; i < row.size(); ++i)
          row[i] =
              static_cast<float>((static_cast<double>(row[i]) - restored(coded.codes[i], coded.scales[i / width])) /
                                 static_cast<double>(factors[i]));
        errors[at(o)] = error_of(row, input);
      }
    });
    for (const double error : errors) sum += error;
    rows += static_cast<double>(module.rows);
  }
  return sum / rows;
}

Smoothing best_smoothing(std::span<const WeightView> weights, std::span<const float> absolute_mean,
                         const InputView& input, const CodeGrid& grid, const SharedChannels& shared,
                         const SmoothingOptions& options, const std::function<void()>& poll) {
  std::vector<double> means(absolute_mean.begin(), absolute_mean.end());
  for (std::size_t j = 0; j < means.size(); ++j)
    if (!std::isfinite(means[j]) || means[j] < 0)
      throw std::invalid_argument("absolute_mean of column " + std::to_string(j) +
                                  ": expected a finite number that is not negative, found " + std::to_string(means[j]));
  means = shared_mean(std::move(means), shared);
  Smoothing best;
  best.factors.assign(means.size(), 1.0f);
  best.error = best.rounding_error = output_error(weights, best.factors, input, grid, poll);
  if (!std::isfinite(best.error))
    throw std::invalid_argument("samples or hessian: expected finite numbers, found others");
  std::vector<double> columns(means.size(), 1.0);
  if (options.weight_scaling) columns = shared_mean(weight_means(weights, means.size(), grid), shared);
  if (!raise_small(means) || !raise_small(columns)) return best;
  for (std::int64_t k = 0; k < options.steps; ++k) {
    const double r = static_cast<double>(k) / static_cast<double>(options.steps);
    std::vector<double> factors;
    for (std::size_t j = 0; j < means.size(); ++j)
      factors.push_back(std::pow(means[j], r) / std::pow(columns[j], 1 - r));
    const std::vector<float> candidate = normalised(factors);
    const double error = output_error(weights, candidate, input, grid, poll);
    if (!(error < best.error)) continue;
    best.factors = candidate;
    best.exponent = r;
    best.error = error;
  }
  return best;
}

}  // namespace retort::quantize
