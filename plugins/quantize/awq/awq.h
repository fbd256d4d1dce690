// Activation-aware smoothing (AWQ, arXiv 2306.00978, section 3.2): the factor of every input channel of a site that
// leaves the least error of the site's output after rounding the smoothed weights to nearest.
//
// With X̄_j the mean |x_j|: s_j = X̄_j^r, r = k/N for k = 0…N−1, or with weight scaling s_j = X̄_j^r / W̄_j^(1−r), W̄_j the
// mean over all rows of |w_j| / max of its group (mit-han-lab/llm-awq and AutoAWQ, quantizer.py). All are divided by
// sqrt(max s · min s). No factor at all (s = 1) is always among what is tried, so that the error is at most that of
// rounding alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "code_grid.h"
#include "shared_channels.h"

namespace retort::quantize {

/// The rows of one module's weight, `stride` floats apart.
struct WeightView {
  const float* data = nullptr;
  std::int64_t rows = 0, stride = 0;
};

/// What an output error is measured with: rows x of the input, or H = 2·Σ x xᵀ / S.
struct InputView {
  const float* data = nullptr;  ///< [rows, I]
  std::int64_t rows = 0, stride = 0;
  bool hessian = false;
};

struct SmoothingOptions {
  std::int64_t steps = 20;  ///< N
  bool weight_scaling = false;
};

struct Smoothing {
  std::vector<float> factors;  ///< [I], positive
  double exponent = 0;         ///< r; 0 where no factor is best
  double error = 0;            ///< mean over rows of weights of Σ_s (x_s·(w − ŵ))² / S, or (w − ŵ)·H·(w − ŵ)/2
  double rounding_error = 0;   ///< that of s = 1
};

/// `absolute_mean` [I]: X̄, finite and not negative. Channels below 1e-4 of the largest count as that. `poll` is called
/// about once a second and may throw. Throws std::invalid_argument for what is not finite.
Smoothing best_smoothing(
    std::span<const WeightView> weights, std::span<const float> absolute_mean, const InputView& input,
    const CodeGrid& grid, const SharedChannels& shared, const SmoothingOptions& options,
    const std::function<void()>& poll = [] {});

/// The error of Smoothing for these factors.
double output_error(
    std::span<const WeightView> weights, std::span<const float> factors, const InputView& input, const CodeGrid& grid,
    const std::function<void()>& poll = [] {});

}  // namespace retort::quantize
