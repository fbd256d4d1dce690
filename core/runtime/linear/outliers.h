// Activations in 8 bits despite outliers: the few values of a row that are far larger than the rest would leave it one
// or two of the 255 codes; they are multiplied in f32 instead (Dettmers et al. 2022, LLM.int8(), arXiv 2208.07339,
// which finds whole columns of them; here each row has its own). Vectorised, single thread, no allocation.
#pragma once

#include <cstdint>

#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// A value is an outlier if it is larger than so many times the root of the mean square, of all values or of those that
/// this leaves (the largest would hide others). Either step finds at most one in kOutlier² values, and the rounding of
/// the rest is on average at most (kOutlier / 127)² / 12 = 2.6 · 10⁻⁴ of the power of what the first step leaves.
inline constexpr std::int64_t kOutlier = 7;

/// Room for a row's outliers: their number, then their places, ascending.
constexpr std::int64_t outliers_of(std::int64_t count) {
  return 2 + 2 * count / (kOutlier * kOutlier);
}

/// quantize_row (vector_kernels.h) of the values that are no outliers, whose codes are 0; returns the scale. `maximum`
/// is that of all. A row whose other values are zeros has no outliers.
float quantize_row_but_outliers(const float* x, std::int64_t count, float maximum, std::int8_t* codes,
                                std::int32_t* outliers);

/// Adds the outliers' products to those of a row's codes: out[column] += Σ x[place] / scale · W[column,place] for the
/// columns of panels [first, last).
void add_outliers(const Int8Panels& weights, std::int64_t first, std::int64_t last, const float* x, float scale,
                  const std::int32_t* outliers, float* out);

}  // namespace retort::runtime
