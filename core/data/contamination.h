// Whether rows for training hold what a test set asks: n-grams of words that both have, as Tülu 3 counts them (Lambert
// et al. 2024, arXiv 2411.15124, section 3.2: 8-grams, half of the words).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace retort::data {

struct Overlap {
  std::uint32_t reference = 0;  ///< its number, from 0 in the order added
  double share = 0;             ///< of the reference's words that stand in n-grams of both; 1: it is the same text
};

/// Texts of a test set, and the question which of them another text holds. Used by one thread at a time.
class ReferenceTexts {
 public:
  /// `length`: words of an n-gram, at least 2; `least_share`: of a reference's words, in (0, 1], from which a text
  /// holds it. A reference shorter than `length` is held by a text of the same words alone. Throws
  /// std::invalid_argument.
  ReferenceTexts(std::size_t length, double least_share);
  void add(const std::vector<std::string>& words);
  std::size_t size() const { return word_counts_.size(); }
  /// The reference of the largest share that `words` hold, the first of equals.
  std::optional<Overlap> held_by(const std::vector<std::string>& words) const;

 private:
  struct Place {
    std::uint32_t reference, position;
  };
  std::size_t length_;
  double least_share_;
  std::unordered_map<std::uint64_t, std::uint32_t> whole_;         ///< hash of all words → reference
  std::unordered_map<std::uint64_t, std::vector<Place>> n_grams_;  ///< hash → where it stands
  std::vector<std::uint32_t> word_counts_;                         ///< of each reference
};

}  // namespace retort::data
