// Tokens outside the BPE model ("added_tokens" of tokenizer.json): special tokens and whole words, found in the text
// before it is cut into pieces.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace retort::text {

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;
  bool normalized = false;   ///< found in normalised text
  bool single_word = false;  ///< only between characters that are not of a word
  bool strip_left = false;   ///< takes the white space before it along
  bool strip_right = false;
};

/// A part of the text: one added token, or text between added tokens (token == nullptr).
struct Segment {
  std::string_view text;
  const AddedToken* token = nullptr;
};

/// \w of Rust's regex crate, which `single_word` asks: Alphabetic, marks, decimal digits, connectors, joiners.
bool begins_with_word_character(std::string_view text);

/// Finds added tokens: the leftmost, and of those at one place the longest. One that is then not taken, because it is
/// special or no single word, hides what lies in it, as in Hugging Face tokenizers. Immutable.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  /// Segments of `text` (valid UTF-8) in order. Special tokens are left as text unless `parse_special`. White space
  /// that `strip_right` takes along and that is a token itself is given twice, in both.
  void split(std::string_view text, bool parse_special, const std::function<void(const Segment&)>& segment) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t place) const;

  std::vector<AddedToken> tokens_;
  std::array<std::vector<std::size_t>, 256> by_first_byte_;  ///< longest first
};

}  // namespace retort::text
