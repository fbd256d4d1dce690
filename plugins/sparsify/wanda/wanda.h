// Wanda (arXiv 2306.11695, equation 1): of every row of weights those go whose |w_j|·‖X_j‖₂ is least. The others stay
// as they are.
#pragma once

#include <cstdint>
#include <span>

namespace retort::sparsify {

/// What goes of a row: a share of its columns, or of every `of` neighbouring ones all but `keep`.
struct Pattern {
  double fraction = .5;           ///< floor(fraction·I) columns; not read where `of` > 0
  std::int64_t keep = 0, of = 0;  ///< n of m, as 2 of 4
};

/// mask [I] becomes 1 where `weights` [I] stay, 0 where they go. `square_sum` [I]: ‖X_j‖₂². Of equal scores the lower
/// column goes first. Throws std::invalid_argument for what is not finite or a negative sum, naming the column, and
/// where I is no multiple of `of`.
void wanda_mask(std::span<const float> weights, std::span<const float> square_sum, const Pattern& pattern,
                std::span<std::uint8_t> mask);

}  // namespace retort::sparsify
