// Cuts text into the pieces inside which BPE may merge. Understands ByteLevel, Split, Digits, Metaspace and Sequence of
// them, as tokenizer.json's "pre_tokenizer" states them; the byte-level mapping itself is the tokenizer's concern.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/json_cursor.h"
#include "text/regex.h"

namespace retort::text {

/// Immutable; may be used from any thread.
class PreTokenizer {
 public:
  PreTokenizer() = default;  ///< cuts nothing
  /// Throws std::invalid_argument for a type or option that is not implemented.
  static PreTokenizer from_json(const host::JsonCursor& json);
  /// ByteLevel with the GPT-2 pattern and no prefix space.
  static PreTokenizer gpt2();

  bool is_byte_level() const { return byte_level_; }
  /// Calls `piece` with every piece of `text` (valid UTF-8) in order; views are valid during the call only.
  /// `place`: whether the text stands first in what is encoded; Metaspace's prepend_scheme "first" asks.
  enum class Place { first, later };
  void split(std::string_view text, const std::function<void(std::string_view)>& piece,
             Place place = Place::first) const;

 private:
  enum class Prefix { never, first, always };
  struct Step {
    std::vector<Regex> pattern;     ///< one, or none: no cut
    std::string space;              ///< Metaspace: stands for every space; empty: spaces stay
    std::string prefix_text;        ///< put before text that does not begin with it, where `prefix` says so
    Prefix prefix = Prefix::never;  ///< before cutting
    bool drop_matches = false;
    bool drop_gaps = false;
    bool merge_with_next = false;  ///< a match belongs to the piece that it begins
  };
  void add_steps(const host::JsonCursor& json);
  void add_byte_level(const host::JsonCursor& json);
  void add_split(const host::JsonCursor& json);
  void add_metaspace(const host::JsonCursor& json);
  using PieceFunction = std::function<void(std::string_view)>;
  void run(std::size_t step, std::string_view text, Place place, const PieceFunction& piece) const;
  void cut(std::size_t step, std::string_view text, Place place, const PieceFunction& piece) const;

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace retort::text
