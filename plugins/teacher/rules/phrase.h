// One clause as a row of words from which rules cut what they understand. What is left over at the end was not
// understood, and a rule that is left with such words must not answer.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spoken_values.h"

namespace retort::rules {

/// Lower case; commas are words of their own; final marks are dropped; "40%" is "40 percent"; "don't" is "do not".
Words split_words(std::string_view text);

std::string joined(const Words& words);

/// Where something stood.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Phrase {
 public:
  explicit Phrase(Words words) : words_(std::move(words)) {}

  const Words& words() const { return words_; }
  bool has(std::string_view word) const;
  bool begins_with(std::string_view sequence) const;

  /// Cuts the first occurrence of the words in `sequence`; a gap stays in their place.
  bool cut(std::string_view sequence);
  bool cut_any(std::initializer_list<std::string_view> sequences);
  /// Cuts the first occurrence; returns the canonical name. A preceding "in the", "on the" or "the" goes with it.
  std::optional<std::string> cut_room();
  std::optional<std::string> cut_color();
  std::optional<std::string> cut_appliance();
  std::optional<std::string> cut_scene();
  std::optional<std::string> cut_day();   ///< with a preceding "on" or "for"
  std::optional<int> cut_number();        ///< with a following "percent" or "degrees"
  std::optional<int> cut_duration();      ///< with a preceding "for" or "of"
  std::optional<std::string> cut_time();  ///< HH:MM; with a preceding "at" or "for"

  /// Whether every word that was not cut is one of the words in `allowed`.
  bool only(std::string_view allowed) const;
  /// The words that were not cut and are not in `dropped`.
  Words rest(std::string_view dropped = "") const;
  /// The words after the first occurrence of `sequence`, cut; up to the first gap.
  std::optional<std::string> cut_text_after(std::string_view sequence);

 private:
  std::optional<Span> find(const Words& sequence) const;
  void gap(std::size_t begin, std::size_t end);
  std::optional<std::string> cut_name(const std::vector<std::pair<std::string, std::string>>& names);
  template <class Read>
  std::optional<int> cut_reading(Read read, std::initializer_list<std::string_view> before);

  Words words_;  ///< "" is a gap
};

}  // namespace retort::rules
