// Which tokens of a vocabulary stay: those that must, and those that the calibration data uses. The host adds what
// merges of kept tokens need.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace retort::prune {

struct VocabularyOptions {
  std::int64_t minimum_count = 1;  ///< occurrences that let a token stay; not read where `size` > 0
  std::int64_t size = 0;           ///< tokens that stay, the most frequent ones; 0: as many as minimum_count lets
};

/// Ids, ascending. `counts` [V]; `required`: ids that stay anyway. Of equally frequent tokens the lower ids stay.
/// Throws std::invalid_argument for a count that is negative or not finite, a required id outside [0,V), a size above V
/// or below the number of required tokens.
std::vector<std::int64_t> kept_tokens(const VocabularyOptions& options, std::span<const float> counts,
                                      std::span<const std::int64_t> required);

}  // namespace retort::prune
