// What was said, as the texts that a value may copy. Read character by character; nothing is built for texts that no
// value begins.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "schema/schema_document.h"

namespace retort::grammar {

/// The parts of some texts that begin and end at a word's bounds, and a letter in either case (Latin, Greek and
/// Cyrillic letters of the basic plane): what stands as "Kitchen" may be written "kitchen". A deterministic automaton
/// whose states are places in the texts: one place is its own number, sets of several are numbered as they are met.
/// Used by one thread at a time.
class SaidParts {
 public:
  static constexpr std::int32_t start = 0, dead = -1;

  explicit SaidParts(const std::vector<std::string>& texts);

  bool empty() const { return begins_.empty(); }  ///< no part at all
  bool has(schema::Counts length) const;          ///< whether a part has so many characters
  bool contains(const std::string& text);         ///< of valid UTF-8
  bool accepts(std::int32_t state) const;         ///< whether a part ends here
  /// Behind one more character; `dead` where no part goes on so.
  std::int32_t step(std::int32_t state, std::uint32_t character);
  /// Whether a part ends between `needed` and `left` characters later.
  bool can_end(std::int32_t state, std::uint32_t needed, std::uint32_t left) const;
  /// Whether a character of [first, last] may come, so that a part still ends between `needed` and `left` characters
  /// from `state`.
  bool any_of(std::int32_t state, std::uint32_t first, std::uint32_t last, std::uint32_t needed,
              std::uint32_t left) const;
  /// Whether more than one way of writing goes on from here.
  bool several(std::int32_t state) const;

 private:
  using Places = std::vector<std::int32_t>;

  std::span<const std::int32_t> places(const std::int32_t& state) const;
  std::int32_t state_of(Places places);
  bool can_end_from(std::int32_t place, std::uint32_t needed, std::uint32_t left) const;

  std::vector<std::uint32_t> said_;     ///< folded; 0 between texts
  std::vector<std::int32_t> next_end_;  ///< [said_] the first place from here where a part may end, in the same text
  std::vector<std::int32_t> last_end_;  ///< [said_] the last one; -1: none
  std::vector<std::uint8_t> ends_;      ///< [said_]
  std::uint32_t largest_ = 0;           ///< character that was said
  Places begins_;
  std::vector<std::pair<std::uint32_t, std::int32_t>> first_;  ///< by character: behind the first one of a part
  std::vector<Places> sets_;                                   ///< state said_.size() + i
  std::vector<std::vector<std::pair<std::uint32_t, std::int32_t>>> steps_;  ///< of sets_, as far as known
  std::map<Places, std::int32_t> known_;
};

}  // namespace retort::grammar
