// n-grams of references in a table, and the words that a text covers of each.
#include "data/contamination.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "data/text_words.h"

namespace retort::data {

ReferenceTexts::ReferenceTexts(std::size_t length, double least_share) : length_(length), least_share_(least_share) {
  if (length < 2) throw std::invalid_argument("n-grams: expected at least 2 words, found " + std::to_string(length));
  if (!(least_share > 0 && least_share <= 1))
    throw std::invalid_argument("n-grams: expected a share in (0, 1], found " + std::to_string(least_share));
}

void ReferenceTexts::add(const std::vector<std::string>& words) {
  const auto number = static_cast<std::uint32_t>(word_counts_.size());
  word_counts_.push_back(static_cast<std::uint32_t>(words.size()));
  whole_.emplace(hash_of(words, 0, words.size()), number);
  for (std::size_t at = 0; at + length_ <= words.size(); ++at)
    n_grams_[hash_of(words, at, at + length_)].push_back({number, static_cast<std::uint32_t>(at)});
}

std::optional<Overlap> ReferenceTexts::held_by(const std::vector<std::string>& words) const {
  if (const auto same = whole_.find(hash_of(words, 0, words.size())); same != whole_.end())
    return Overlap{same->second, 1};
  std::map<std::uint32_t, std::set<std::uint32_t>> covered;  // words of each reference
  for (std::size_t at = 0; at + length_ <= words.size(); ++at) {
    const auto found = n_grams_.find(hash_of(words, at, at + length_));
    if (found == n_grams_.end()) continue;
    for (const Place& place : found->second)
      for (std::uint32_t i = 0; i < length_; ++i) covered[place.reference].insert(place.position + i);
  }
  std::optional<Overlap> largest;
  for (const auto& [reference, positions] : covered) {
    const double share = static_cast<double>(positions.size()) / word_counts_[reference];
    if (share >= least_share_ && (!largest || share > largest->share)) largest = Overlap{reference, share};
  }
  return largest;
}

}  // namespace retort::data
