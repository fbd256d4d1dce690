// The texts of tokens by id, and ids by text: flat tables, which are made of a tokenizer.json or lie in a packed file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/flat_table.h"
#include "text/tokenizer.h"

namespace retort::text {

/// Immutable. Views stay valid as long as the object, or the memory that it borrows.
class TokenTexts {
 public:
  struct Token {
    std::string text;   ///< as in the file; "" if the id is unused
    std::string bytes;  ///< what it stands for
    bool added = false;
    bool special = false;
    bool model = false;  ///< of the model's vocabulary, where find() finds it
  };
  /// As it is stored.
  struct Tables {
    FlatTable<char> characters;     ///< of token 0 its text and its bytes, of token 1, …
    FlatTable<std::uint32_t> ends;  ///< [2 · ids]: where each of them ends
    FlatTable<std::uint8_t> flags;  ///< [ids]: 1 added, 2 special
    FlatTable<TokenId> by_text;     ///< open addressing by text_hash, a power of two of places; -1: free
  };

  TokenTexts() = default;
  explicit TokenTexts(const std::vector<Token>& tokens);
  /// Throws std::invalid_argument for tables that do not hang together, so that none that passes is read out of bounds.
  explicit TokenTexts(Tables tables);

  std::size_t size() const { return tables_.flags.size(); }
  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }
  std::string_view text(TokenId id) const { return part(2 * static_cast<std::size_t>(id)); }
  std::string_view bytes(TokenId id) const { return part(2 * static_cast<std::size_t>(id) + 1); }
  bool added(TokenId id) const { return (tables_.flags[static_cast<std::size_t>(id)] & kAdded) != 0; }
  bool special(TokenId id) const { return (tables_.flags[static_cast<std::size_t>(id)] & kSpecial) != 0; }
  std::optional<TokenId> find(std::string_view text) const;
  const Tables& tables() const { return tables_; }

 private:
  static constexpr std::uint8_t kAdded = 1, kSpecial = 2;
  std::string_view part(std::size_t index) const {
    const std::uint32_t begin = index == 0 ? 0 : tables_.ends[index - 1];
    return {tables_.characters.begin() + begin, tables_.ends[index] - begin};
  }
  std::size_t place_of(std::string_view text) const;

  Tables tables_;
};

}  // namespace retort::text
