// Weights that are no numbers are refused where they stand, before they spread over a matrix.
#pragma once

#include <cmath>
#include <cstdint>
#include <retort/tensor.hpp>
#include <stdexcept>
#include <string>

namespace retort::compression {

/// Throws std::invalid_argument for an infinity or no number, naming its row and column.
inline void expect_finite(const TensorView<const float>& weight) {
  for (std::int64_t row = 0; row < weight.rows(); ++row)
    for (std::int64_t column = 0; column < weight.columns(); ++column)
      if (!std::isfinite(weight(row, column)))
        throw std::invalid_argument("row " + std::to_string(row) + ", column " + std::to_string(column) +
                                    ": expected a finite weight, found " + std::to_string(weight(row, column)));
}

}  // namespace retort::compression
