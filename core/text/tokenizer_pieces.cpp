// From a piece of text to ids: the whole piece as a token, or its symbols (bytes, or characters with byte fallback) and
// the merges over them.
#include "text/byte_alphabet.h"
#include "text/tokenizer_state.h"
#include "text/utf8.h"

namespace retort::text {

bool Tokenizer::State::encode_whole(std::string_view piece, std::vector<TokenId>& ids_out) const {
  const auto found = byte_level ? ids.find(to_alphabet(piece)) : ids.find(piece);
  if (found == ids.end()) return false;
  ids_out.push_back(found->second);
  return true;
}

void Tokenizer::State::append_bytes(std::string_view word, std::vector<TokenId>& symbols) const {
  for (const char byte : word) {
    const TokenId id = byte_ids[static_cast<unsigned char>(byte)];
    if (id != no_token) symbols.push_back(id);
  }
}

void Tokenizer::State::append_characters(std::string_view word, std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  while (!word.empty()) {
    const std::string_view character = word.substr(0, character_length(word));
    word.remove_prefix(character.size());
    if (const auto found = ids.find(character); found != ids.end()) {
      symbols.push_back(found->second);
      after_unknown = false;
    } else if (byte_fallback) {
      for (const char byte : character) symbols.push_back(byte_ids[static_cast<unsigned char>(byte)]);
    } else {
      if (!after_unknown || !fuse_unknown) symbols.push_back(*unknown);
      after_unknown = true;
    }
  }
}

void Tokenizer::State::encode_word(std::string_view word, std::vector<TokenId>& ids_out) const {
  thread_local std::vector<TokenId> symbols;
  symbols.clear();
  if (byte_level)
    append_bytes(word, symbols);
  else
    append_characters(word, symbols);
  merges.apply(symbols);
  ids_out.insert(ids_out.end(), symbols.begin(), symbols.end());
}

void Tokenizer::State::encode_piece(std::string_view piece, std::vector<TokenId>& ids_out) const {
  if (ignore_merges && encode_whole(piece, ids_out)) return;
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
