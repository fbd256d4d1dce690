// What is done to text before it is cut into pieces: NFC, Prepend, Replace and Sequence of them, as tokenizer.json's
// "normalizer" states them. Other normalizers (NFKC, Lowercase, Strip, …) are refused by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/json_cursor.h"
#include "text/regex.h"

namespace retort::text {

/// Unicode normalisation form C (UAX #15) by utf8proc. `text` must be valid UTF-8.
std::string to_nfc(std::string_view text);

/// Immutable; may be used from any thread.
class Normalizer {
 public:
  Normalizer() = default;  ///< changes nothing
  /// Throws std::invalid_argument for a type or an option that is not implemented.
  static Normalizer from_json(const host::JsonCursor& json);

  bool changes_nothing() const { return steps_.empty(); }
  /// `text` (valid UTF-8) after all steps. Empty text stays empty: Prepend has nothing to stand before. Throws
  /// std::runtime_error where replacements make it grow without measure, or a pattern cannot be matched (Regex).
  std::string apply(std::string_view text) const;

 private:
  enum class Kind { nfc, prepend, replace };
  struct Step {
    Kind kind = Kind::nfc;
    std::string content;         ///< what is put before the text, or in the place of matches
    std::string literal;         ///< what Replace looks for, unless it has a pattern
    std::vector<Regex> pattern;  ///< one, or none
  };
  void add_steps(const host::JsonCursor& json);
  void add_replace(const host::JsonCursor& json);

  std::vector<Step> steps_;
};

}  // namespace retort::text
