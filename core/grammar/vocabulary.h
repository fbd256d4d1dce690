// A tokenizer's tokens as bytes, in a trie that is one array: walked beside a byte automaton to find the tokens that
// may come. Flat in depth-first order, 8 bytes a node, as in llguidance (docs/toktrie.md).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace retort::grammar {

using text::TokenId;

/// Tokens in depth-first order of their bytes.
class TokenTrie {
 public:
  struct Node {
    std::uint32_t token_and_byte;  ///< token + 1 in the upper 24 bits, 0 for none; the byte that leads here
    std::uint32_t size_and_depth;  ///< nodes of the subtree, itself included, in the upper 24 bits; its depth from 1
    std::uint8_t byte() const { return static_cast<std::uint8_t>(token_and_byte); }
    TokenId token() const { return static_cast<TokenId>(token_and_byte >> 8U) - 1; }
    std::uint32_t size() const { return size_and_depth >> 8U; }
    std::uint32_t depth() const { return size_and_depth & 0xFFU; }
  };

  /// Distinct texts of 1 to 255 bytes, sorted.
  explicit TokenTrie(const std::vector<std::pair<std::string, TokenId>>& tokens);
  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  std::vector<Node> nodes_;
};

/// Immutable; any thread.
class Vocabulary {
 public:
  /// Takes every token but special ones, those named like them (<…> among the added ones) and those without bytes.
  explicit Vocabulary(const text::Tokenizer& tokenizer);
  /// Of given bytes; "" for tokens that are matched by id alone.
  explicit Vocabulary(std::vector<std::string> tokens);

  std::int64_t size() const { return static_cast<std::int64_t>(bytes_.size()); }  ///< V
  /// The bytes that a token stands for in a text, "" for one that is matched by its id.
  std::string_view bytes(TokenId token) const;
  std::size_t longest() const { return longest_; }  ///< bytes

  /// Tokens of plain characters (TextFacts::free), by how many: any of them fits a free string that has room for so
  /// many. A mask of those of this and the slices before is ready, so their tries need not be walked.
  struct Slice {
    std::uint32_t least = 0, characters = 0;  ///< of the shortest, of the longest one
    std::vector<std::uint64_t> mask;
    TokenTrie trie;
  };
  const std::vector<Slice>& slices() const { return slices_; }
  /// The tokens of all slices that begin with `byte`; empty for none.
  const std::vector<std::uint64_t>& plain_mask(std::uint8_t byte) const { return plain_masks_[byte]; }
  const std::vector<std::uint64_t>& plain_ascii() const {
    return plain_ascii_;
  }  ///< that begin with an ASCII character
  std::uint32_t most_plain_characters() const { return most_plain_; }
  /// Tokens that stay inside a JSON string which may have any characters: plain ones, escapes, parts of characters.
  const std::vector<std::uint64_t>& inside_free() const { return inside_free_; }
  /// Those that end it: by what they have behind its closing quote. The trie's tokens are places in the groups.
  struct Closing {
    std::vector<TokenId> at_end;  ///< that have nothing there
    std::vector<std::vector<TokenId>> groups;
    std::unique_ptr<const TokenTrie> trie;
  };
  const Closing& closing_free() const { return closing_; }
  const TokenTrie& others() const { return *others_; }  ///< of tokens that are in no slice
  /// Those of them whose first character that is not plain is no control character.
  const TokenTrie& others_without_controls() const { return *others_without_controls_; }
  const TokenTrie& all() const { return *all_; }
  /// Tokens with the same bytes as another, which is first.
  const std::vector<std::pair<TokenId, TokenId>>& twins() const { return twins_; }
  /// Tokens that are too long for the trie; to be tried one by one.
  const std::vector<TokenId>& long_tokens() const { return long_tokens_; }
  std::size_t words() const { return (bytes_.size() + 63) / 64; }

 private:
  void index();
  void index_free_strings(const std::vector<std::pair<std::string, TokenId>>& tokens);

  std::vector<std::string> bytes_;
  std::size_t longest_ = 0;
  std::vector<Slice> slices_;
  std::array<std::vector<std::uint64_t>, 256> plain_masks_;
  std::vector<std::uint64_t> plain_ascii_;
  std::uint32_t most_plain_ = 0;
  std::vector<std::uint64_t> inside_free_;
  Closing closing_;
  std::unique_ptr<const TokenTrie> all_, others_, others_without_controls_;
  std::vector<std::pair<TokenId, TokenId>> twins_;
  std::vector<TokenId> long_tokens_;
};

}  // namespace retort::grammar
