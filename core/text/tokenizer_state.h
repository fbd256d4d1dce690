// What a Tokenizer is made of, and its reading from tokenizer.json. Private to the tokenizer.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/base/json_cursor.h"
#include "text/added_tokens.h"
#include "text/bpe_merges.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/tokenizer.h"
#include "text/whole_pieces.h"

namespace retort::text {

/// U+2581, which stands for a space in SentencePiece's vocabularies.
inline constexpr std::string_view space_symbol = "\xE2\x96\x81";

/// Lets std::string_view look up std::string keys.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct Tokenizer::State {
  struct Entry {
    std::string text;   ///< as in the file; "" if the id is unused
    std::string bytes;  ///< what it stands for
    bool added = false;
    bool special = false;
  };

  std::string json;
  std::vector<Entry> entries;  ///< by id
  std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>> ids;
  std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>> added_ids;
  static constexpr TokenId no_token = -1;
  /// Of the alphabet's characters, or of "<0x…>". A byte with no_token is left out of what is encoded, as Hugging
  /// Face's tokenizers and llama.cpp leave it out.
  std::array<TokenId, 256> byte_ids{};
  BpeMerges merges;
  WholePieces whole_pieces;
  bool byte_level = false;          ///< symbols are bytes; otherwise characters
  bool byte_fallback = false;       ///< a character that is no token becomes its bytes' tokens
  std::optional<TokenId> unknown;   ///< what it becomes without byte_fallback
  bool fuse_unknown = false;        ///< one `unknown` for a run of them
  bool ignore_merges = false;       ///< a piece that is a token as a whole is not built from merges
  bool words_are_separate = false;  ///< no token has "▁" behind another character: merges never cross such a border
  std::optional<TokenId> begin;     ///< what post_processor puts first
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  TokenDecoder decoder;
  AddedTokenFinder raw_tokens;         ///< found before normalisation
  AddedTokenFinder normalized_tokens;  ///< found after it

  /// Throws std::invalid_argument by JSON pointer.
  void read(const host::JsonCursor& root);
  void encode_piece(std::string_view piece, std::vector<TokenId>& ids_out) const;

 private:
  void read_model(const host::JsonCursor& model);
  void read_vocabulary(const host::JsonCursor& vocabulary);
  void read_merges(const host::JsonCursor& merges_json);
  void read_added_tokens(const host::JsonCursor& added);
  void read_byte_ids(const host::JsonCursor& vocabulary);
  void read_begin(const host::JsonCursor& post_processor);
  void find_word_borders();
  void fill_whole_pieces();

  void encode_word(std::string_view word, std::vector<TokenId>& ids_out) const;
  void append_byte(char byte, std::vector<TokenId>& symbols) const;
  void append_characters(std::string_view word, std::vector<TokenId>& symbols) const;
};

}  // namespace retort::text
