// Magnitude pruning (Han et al., arXiv 1506.02626, section 3): the weights with the least |w| go, of every row or of
// the matrix. The others stay as they are. Needs no calibration data.
#pragma once

#include <cstdint>
#include <span>

#include "pattern.h"

namespace retort::sparsify {

enum class Scope : std::uint8_t {
  row,     ///< the same share of every row
  matrix,  ///< a share of the whole matrix: rows of small weights lose more
};

/// mask [O·I] becomes 1 where `weights` [O·I], rows of `columns`, stay. A pattern of n of m holds in every row and asks
/// for Scope::row. Throws std::invalid_argument for a weight that is not finite, naming row and column.
void magnitude_mask(std::span<const float> weights, std::int64_t columns, Scope scope, const Pattern& pattern,
                    std::span<std::uint8_t> mask);

}  // namespace retort::sparsify
