// The inverse of a damped Hessian, and what is left of it when columns go: what pruners of whole columns need.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hessian_factor.h"

namespace retort::compression {

/// The whole of (R·Rᵀ)⁻¹ [n,n]. `factor` [n,n] has R in its upper triangle. `poll` is called about once a second.
std::vector<double> inverse_of(
    const std::vector<double>& factor, std::int64_t n, const std::function<void()>& poll = [] {});

/// Columns of a layer y = W·a, W [O,I], that go one batch after the other, while the others take up what they did: the
/// optimal brain surgeon for whole columns (arXiv 2403.12983, section 3.2). With P = (H + λ)⁻¹ of the columns that are
/// left, a column j costs |w_j|²/P_jj of Σ_o (w − ŵ)·(H + λ)·(w − ŵ), and what makes it least is W −= w_j·P_j/P_jj.
class ColumnRemoval {
 public:
  /// `inverse` [I,I] P of all columns; `columns` [I] of O weights each.
  ColumnRemoval(std::vector<double> inverse, std::vector<std::vector<double>> columns);

  /// |w_j|²/P_jj of every column, infinite where it is gone.
  std::vector<double> costs() const;
  /// These columns go together. Returns what that costs.
  double remove(std::span<const std::int64_t> which);
  /// Weights [O] of a column as they are now; zeros where it is gone.
  const std::vector<double>& column(std::int64_t j) const { return columns_[static_cast<std::size_t>(j)]; }

 private:
  double* inverse_row(std::int64_t j) { return &inverse_[static_cast<std::size_t>(j) * columns_.size()]; }

  std::vector<double> inverse_;
  std::vector<std::vector<double>> columns_;
  std::vector<std::uint8_t> gone_;
};

}  // namespace retort::compression
