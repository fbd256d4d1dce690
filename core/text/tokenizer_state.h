// What a Tokenizer is made of, and its reading from tokenizer.json. Private to the tokenizer.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/json_cursor.h"
#include "text/added_tokens.h"
#include "text/bpe_merges.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace retort::text {

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
  std::array<TokenId, 256> byte_ids{};
  BpeMerges merges;
  bool ignore_merges = false;  ///< a piece that is a token as a whole is not built from merges
  bool normalize_nfc = false;
  PreTokenizer pre_tokenizer;
  AddedTokenFinder raw_tokens;         ///< found before normalisation
  AddedTokenFinder normalized_tokens;  ///< found after it

  /// Throws std::invalid_argument by JSON pointer.
  void read(const model::JsonCursor& root);
  void encode_piece(std::string_view piece, std::vector<TokenId>& ids_out) const;

 private:
  void read_vocabulary(const model::JsonCursor& vocabulary);
  void read_merges(const model::JsonCursor& merges_json);
  void read_added_tokens(const model::JsonCursor& added);
  void read_byte_ids(const model::JsonCursor& vocabulary);
};

/// Unicode normalisation form C. `text` must be valid UTF-8.
std::string to_nfc(std::string_view text);

}  // namespace retort::text
