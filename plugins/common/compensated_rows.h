// Rows of weights whose columns are settled one after the other, rounded or dropped, while those to come make up for
// what that costs (hessian_factor.h has the formulas). What a column is settled to is the caller's affair.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hessian_factor.h"

namespace retort::compression {

/// Places i are those of factor.order(). One thread.
class CompensatedRows {
 public:
  /// `rows` [R] of I weights each; weights of inputs that were never seen become 0 where `zero_dead` says so. `block`:
  /// columns that are settled before those behind them are updated. `factor` must outlive the object.
  CompensatedRows(const HessianFactor& factor, std::span<const std::span<const float>> rows, bool zero_dead,
                  std::int64_t block);

  std::size_t rows() const { return updated_.size(); }
  /// The weight at place i as it makes up best for all settled columns; i is the first that is not settled.
  float next(std::size_t row, std::int64_t i) const { return updated_[row][static_cast<std::size_t>(i)]; }
  /// The weights at [begin, begin + out.size()), of which `begin` is next, as they make up best together. They lie in
  /// one block.
  void joint(std::size_t row, std::int64_t begin, std::span<float> out) const;
  /// next(row, i) becomes `value`. Returns R_ii·(next − value), whose square is what that adds to the error
  /// (w − ŵ)·(H + λ)·(w − ŵ) of the row.
  double settle(std::size_t row, std::int64_t i, double value);
  /// All rows have settled the block that begins at `begin`: the columns behind it take up its errors.
  void close_block(std::int64_t begin);

 private:
  std::int64_t block_end(std::int64_t i) const;
  void compensate(std::size_t row, std::int64_t begin, std::int64_t first, std::int64_t last);

  const HessianFactor& factor_;
  std::int64_t columns_, block_;
  std::vector<std::vector<float>> weights_, updated_;  ///< [R][I] by place: as given, and with compensation
  std::vector<std::vector<float>> steps_;              ///< [R][block] w − ŵ
};

}  // namespace retort::compression
