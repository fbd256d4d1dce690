// SparseGPT (arXiv 2301.00774, algorithm 1): column by column weights go to zero, and the columns to come make up for
// it. A weight's score is w²/U_ii², U = chol(H⁻¹) upper, with w as it makes up for the columns before.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hessian_factor.h"
#include "pattern.h"

namespace retort::sparsify {

struct SparseGptOptions {
  Pattern pattern;
  /// Columns whose weights compete with a fraction, all rows together (the paper's B_s); with n of m the m columns of
  /// each row do, and this is speed alone.
  std::int64_t block = 128;
};

/// One row of I weights; `mask` is 1 where a weight stays.
struct SparseRow {
  std::span<float> weights;
  std::span<std::uint8_t> mask;
};

/// `rows` [R] of I finite weights each become sparse `out` [R]. Returns of each row (w − ŵ)·(H + λ)·(w − ŵ). `factor`
/// is of the stored order. Of equal scores the earlier row and column goes first. Weights of inputs that were never
/// seen count as 0. `poll` is called about once a second and may throw. Throws std::invalid_argument where I is no
/// multiple of pattern.of, or for another order.
std::vector<double> sparsegpt(
    const compression::HessianFactor& factor, const SparseGptOptions& options,
    std::span<const std::span<const float>> rows, std::span<SparseRow> out, const std::function<void()>& poll = [] {});

}  // namespace retort::sparsify
