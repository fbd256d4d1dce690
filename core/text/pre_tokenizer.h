// Cuts text into the pieces inside which BPE may merge. Understands ByteLevel, Split, Digits and Sequence of them, as
// tokenizer.json's "pre_tokenizer" states them; the byte-level mapping itself is the tokenizer's concern.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/json_cursor.h"
#include "text/regex.h"

namespace retort::text {

/// GPT-2's pattern, built into ByteLevel with use_regex (Radford et al. 2019, encoder.py).
extern const char gpt2_pattern[];

/// Immutable; may be used from any thread.
class PreTokenizer {
 public:
  /// Throws std::invalid_argument for a type or option that is not implemented, and if nothing in it is ByteLevel.
  static PreTokenizer from_json(const model::JsonCursor& json);
  /// ByteLevel with the GPT-2 pattern and no prefix space.
  static PreTokenizer gpt2();

  /// Calls `piece` with every piece of `text` (valid UTF-8) in order; views are valid during the call only.
  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  struct Step {
    std::vector<Regex> pattern;     ///< one, or none: no cut
    bool add_prefix_space = false;  ///< before cutting
    bool drop_matches = false;
    bool drop_gaps = false;
  };
  void add_steps(const model::JsonCursor& json);
  void add_byte_level(const model::JsonCursor& json);
  void add_split(const model::JsonCursor& json);
  void run(std::size_t step, std::string_view text, const std::function<void(std::string_view)>& piece) const;

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace retort::text
