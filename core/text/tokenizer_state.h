// What a Tokenizer is made of, and its reading from tokenizer.json. Private to the tokenizer.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/base/json_cursor.h"
#include "model/mapped_file.h"
#include "model/packed_file.h"
#include "text/added_tokens.h"
#include "text/bpe_merges.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/token_texts.h"
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
  std::string json;
  std::shared_ptr<const model::PackedFile> packed;  ///< whose memory the tables are, or null
  std::shared_ptr<const model::MappedFile> source;  ///< then the tokenizer.json, in place of `json`
  TokenTexts texts;
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
  /// What write_packed_tokenizer wrote into `folder`; null where it did not, or where that does not fit, which a
  /// warning says.
  static std::unique_ptr<State> from_packed(const std::filesystem::path& folder);
  /// Throws std::runtime_error or std::invalid_argument for sections that are not such.
  void attach(std::shared_ptr<const model::PackedFile> file);
  std::vector<model::PackedSection> sections() const;  ///< of the tables; borrowed
  /// The numbers that read() found besides the tables, and back.
  nlohmann::json facts() const;
  void set_facts(const host::JsonCursor& facts);
  void encode_piece(std::string_view piece, std::vector<TokenId>& ids_out) const;

 private:
  /// While a tokenizer.json is read.
  struct Reading {
    std::vector<TokenTexts::Token> tokens;                                      ///< by id
    std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>> ids;  ///< of the model's vocabulary
  };
  void read_parts(const host::JsonCursor& root);
  static std::vector<AddedToken> added_tokens(const host::JsonCursor& added);
  void read_model(const host::JsonCursor& model, Reading& reading);
  void read_vocabulary(const host::JsonCursor& vocabulary, Reading& reading) const;
  void read_merges(const host::JsonCursor& merges_json, const Reading& reading);
  void read_added_tokens(const host::JsonCursor& added, Reading& reading);
  void add_finders(std::vector<AddedToken> tokens);
  void read_byte_ids(const host::JsonCursor& vocabulary, const Reading& reading);
  void read_begin(const host::JsonCursor& post_processor, const Reading& reading);
  void find_word_borders(const Reading& reading);
  void fill_whole_pieces(const Reading& reading);

  void encode_word(std::string_view word, std::vector<TokenId>& ids_out) const;
  void append_byte(char byte, std::vector<TokenId>& symbols) const;
  void append_characters(std::string_view word, std::vector<TokenId>& symbols) const;
};

}  // namespace retort::text
