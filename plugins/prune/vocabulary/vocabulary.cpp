// See vocabulary.h.
#include "vocabulary.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

namespace retort::prune {

namespace {

void check_counts(std::span<const float> counts) {
  for (std::size_t id = 0; id < counts.size(); ++id)
    if (!std::isfinite(counts[id]) || counts[id] < 0)
      throw std::invalid_argument("token_counts of token " + std::to_string(id) +
                                  ": expected a finite number that is not negative, found " +
                                  std::to_string(counts[id]));
}

/// 1 where a token must stay.
std::vector<std::uint8_t> marked(std::span<const std::int64_t> required, std::size_t size) {
  std::vector<std::uint8_t> marks(size, 0);
  for (const std::int64_t id : required) {
    if (id < 0 || static_cast<std::size_t>(id) >= size)
      throw std::invalid_argument("required_tokens: expected ids below " + std::to_string(size) + ", found " +
                                  std::to_string(id));
    marks[static_cast<std::size_t>(id)] = 1;
  }
  return marks;
}

}  // namespace

std::vector<std::int64_t> kept_tokens(const VocabularyOptions& options, std::span<const float> counts,
                                      std::span<const std::int64_t> required) {
  check_counts(counts);
  const std::vector<std::uint8_t> marks = marked(required, counts.size());
  std::vector<std::int64_t> ids(counts.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto at = [](std::int64_t id) { return static_cast<std::size_t>(id); };
  if (options.size == 0) {
    std::erase_if(ids, [&](std::int64_t id) {
      return marks[at(id)] == 0 && static_cast<double>(counts[at(id)]) < static_cast<double>(options.minimum_count);
    });
    return ids;
  }
  const std::int64_t least = std::count(marks.begin(), marks.end(), std::uint8_t{1});
  if (options.size < least || at(options.size) > counts.size())
    throw std::invalid_argument("size: expected at least the " + std::to_string(least) +
                                " required tokens and at most the vocabulary's " + std::to_string(counts.size()) +
                                ", found " + std::to_string(options.size));
  std::stable_sort(ids.begin(), ids.end(), [&](std::int64_t a, std::int64_t b) {
    if (marks[at(a)] != marks[at(b)]) return marks[at(a)] > marks[at(b)];
    return counts[at(a)] > counts[at(b)];
  });
  ids.resize(at(options.size));
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace retort::prune
