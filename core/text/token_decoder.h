// From a token's text, as the vocabulary spells it, to the bytes that it stands for: ByteLevel, or a Sequence of
// Replace, ByteFallback, Fuse and Strip, as tokenizer.json's "decoder" states them. Works token by token, so that
// streams can use it; what needs the whole text (Strip at its end, Replace after Fuse) is refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/json_cursor.h"

namespace retort::text {

/// Immutable; may be used from any thread.
class TokenDecoder {
 public:
  TokenDecoder() = default;  ///< ByteLevel
  /// Throws std::invalid_argument for a type or an option that is not implemented.
  static TokenDecoder from_json(const host::JsonCursor& json);

  bool is_byte_level() const { return byte_level_; }
  std::string bytes_of(std::string_view token) const;
  /// Spaces that are dropped at the begin of a text; they are what the normaliser put there.
  std::size_t spaces_stripped() const { return spaces_stripped_; }

 private:
  void add_steps(const host::JsonCursor& json);
  void add_strip(const host::JsonCursor& json);

  bool byte_level_ = true;
  bool byte_fallback_ = false;
  bool fused_ = false;
  std::vector<std::pair<std::string, std::string>> replacements_;
  std::size_t spaces_stripped_ = 0;
};

/// "<0x41>" for 0x41: how vocabularies with byte fallback spell a byte.
std::string byte_token(unsigned char byte);

/// The byte that `token` spells in this way, or -1.
int byte_of_token(std::string_view token);

}  // namespace retort::text
