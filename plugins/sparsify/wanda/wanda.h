// Wanda (arXiv 2306.11695, equation 1): of every row of weights those go whose |w_j|·‖X_j‖₂ is least. The others stay
// as they are.
#pragma once

#include <cstdint>
#include <span>

#include "pattern.h"

namespace retort::sparsify {

/// mask [I] becomes 1 where `weights` [I] stay, 0 where they go. `square_sum` [I]: ‖X_j‖₂². Of equal scores the lower
/// column goes first. Throws std::invalid_argument for what is not finite or a negative sum, naming the column, and
/// where I is no multiple of `of`.
void wanda_mask(std::span<const float> weights, std::span<const float> square_sum, const Pattern& pattern,
                std::span<std::uint8_t> mask);

}  // namespace retort::sparsify
