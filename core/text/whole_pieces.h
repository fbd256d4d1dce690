// Pieces of text that are one token: a hash table from their bytes, and whether the merges build that token from them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/flat_table.h"
#include "text/tokenizer.h"

namespace retort::text {

/// Filled once; then any thread may call the const functions. What is learnt about a token is the same whoever learns
/// it, so relaxed atomics are enough; the memory that it takes is bounded by the vocabulary.
class WholePieces {
 public:
  enum class Built : std::uint8_t { unknown, yes, no };
  struct Place {
    std::uint32_t begin = 0, size = 0;  ///< of the text in `characters`
    TokenId id = -1;                    ///< -1: free
  };
  /// As it is stored.
  struct Tables {
    FlatTable<char> characters;
    FlatTable<Place> places;  ///< open addressing by text_hash, a power of two, at most half of them taken
  };

  /// `texts` by id, empty where an id has none. Of equal texts the first counts.
  void fill(const std::vector<std::string_view>& texts);
  /// Of `ids` tokens. Throws std::invalid_argument for tables that do not hang together.
  void attach(Tables tables, std::size_t ids);
  const Tables& tables() const { return tables_; }

  /// -1 if no token is spelt so.
  TokenId find(std::string_view text) const;
  /// Whether the merges make the token's text that one token. Vocabularies have tokens that no merge leads to.
  Built built(TokenId id) const { return built_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed); }
  void remember(TokenId id, Built built) const {
    built_[static_cast<std::size_t>(id)].store(built, std::memory_order_relaxed);
  }

 private:
  std::string_view text_of(const Place& place) const { return {tables_.characters.begin() + place.begin, place.size}; }
  std::size_t place_of(std::string_view text) const;

  Tables tables_;
  std::unique_ptr<std::atomic<Built>[]> built_;
};

}  // namespace retort::text
