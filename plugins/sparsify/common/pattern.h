// What goes of a matrix's weights once each has a score, and how a config spells it: a share, or n of every m columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace retort::sparsify {

/// A share of the columns, or of every `of` neighbouring ones all but `keep`.
struct Pattern {
  double fraction = .5;           ///< floor(fraction·I) columns; not read where `of` > 0
  std::int64_t keep = 0, of = 0;  ///< n of m, as 2 of 4
};

/// `text`: "" or "N:M" with 0 < N < M. Throws std::invalid_argument for anything else.
Pattern parse_pattern(const std::string& text, double fraction);

/// mask becomes 1 where a weight stays and 0 where it goes: those with the least of `scores` [I], of equal ones the
/// earlier first. Throws std::invalid_argument where I is no multiple of pattern.of.
void mask_least(std::span<const double> scores, const Pattern& pattern, std::span<std::uint8_t> mask);

}  // namespace retort::sparsify
