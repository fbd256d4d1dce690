// From a piece of text to ids: the whole piece as a token where the merges are known to build it, or its symbols
// (bytes, or characters with byte fallback) and the merges over them. There is no cache of pieces.
#include "host/base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer_state.h"

namespace retort::text {

void Tokenizer::State::append_byte(char byte, std::vector<TokenId>& symbols) const {
  const TokenId id = byte_ids[static_cast<unsigned char>(byte)];
  if (id != no_token) symbols.push_back(id);
}

void Tokenizer::State::append_characters(std::string_view word, std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  while (!word.empty()) {
    const std::string_view character = word.substr(0, host::character_length(word));
    word.remove_prefix(character.size());
    if (const auto found = texts.find(character)) {
      symbols.push_back(*found);
      after_unknown = false;
    } else if (byte_fallback) {
      for (const char byte : character) append_byte(byte, symbols);
    } else {
      if (!after_unknown || !fuse_unknown) symbols.push_back(*unknown);
      after_unknown = true;
    }
  }
}

void Tokenizer::State::encode_word(std::string_view word, std::vector<TokenId>& ids_out) const {
  using Built = WholePieces::Built;
  const TokenId whole = whole_pieces.find(word);
  if (whole >= 0 && (ignore_merges || whole_pieces.built(whole) == Built::yes)) {
    ids_out.push_back(whole);
    return;
  }
  thread_local std::vector<TokenId> symbols;
  symbols.clear();
  if (byte_level)
    for (const char byte : word) append_byte(byte, symbols);
  else
    append_characters(word, symbols);
  merges.apply(symbols);
  if (whole >= 0) whole_pieces.remember(whole, symbols.size() == 1 && symbols[0] == whole ? Built::yes : Built::no);
  ids_out.insert(ids_out.end(), symbols.begin(), symbols.end());
}

void Tokenizer::State::encode_piece(std::string_view piece, std::vector<TokenId>& ids_out) const {
  if (words_are_separate) {
    std::size_t done = 0;
    for (std::size_t place = piece.find(space_symbol, 1); place != std::string_view::npos;
         place = piece.find(space_symbol, place + 1)) {
      if (piece.substr(0, place).ends_with(space_symbol)) continue;
      encode_word(piece.substr(done, place - done), ids_out);
      done = place;
    }
    piece.remove_prefix(done);
  }
  encode_word(piece, ids_out);
}

}  // namespace retort::text
