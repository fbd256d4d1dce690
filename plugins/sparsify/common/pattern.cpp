#include "pattern.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace retort::sparsify {
namespace {

/// The `count` least of `scores` get 0.
void drop_least(std::span<const double> scores, std::size_t count, std::span<std::uint8_t> mask) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  for (std::size_t i = 0; i < count; ++i) mask[order[i]] = 0;
}

}  // namespace

Pattern parse_pattern(const std::string& text, double fraction) {
  Pattern pattern;
  pattern.fraction = fraction;
  if (text.empty()) return pattern;
  const char* const end = text.data() + text.size();
  const auto [middle, first_error] = std::from_chars(text.data(), end, pattern.keep);
  const bool separated = first_error == std::errc() && middle != end && *middle == ':';
  const auto [last, second_error] = std::from_chars(separated ? middle + 1 : end, end, pattern.of);
  if (!separated || second_error != std::errc() || last != end || pattern.keep < 1 || pattern.keep >= pattern.of)
    throw std::invalid_argument("pattern: expected \"\" or \"N:M\" with 0 < N < M, as \"2:4\", found \"" + text + "\"");
  return pattern;
}

void mask_least(std::span<const double> scores, const Pattern& pattern, std::span<std::uint8_t> mask) {
  std::fill(mask.begin(), mask.end(), std::uint8_t{1});
  if (pattern.of <= 0)
    return drop_least(scores, static_cast<std::size_t>(pattern.fraction * static_cast<double>(scores.size())), mask);
  const auto of = static_cast<std::size_t>(pattern.of), gone = of - static_cast<std::size_t>(pattern.keep);
  if (scores.size() % of != 0)
    throw std::invalid_argument("pattern: expected a multiple of " + std::to_string(of) + " columns, found " +
                                std::to_string(scores.size()));
  for (std::size_t begin = 0; begin < scores.size(); begin += of)
    drop_least(scores.subspan(begin, of), gone, mask.subspan(begin, of));
}

}  // namespace retort::sparsify
