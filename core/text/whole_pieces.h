// Pieces of text that are one token: a hash table from their bytes, and whether the merges build that token from them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace retort::text {

/// Filled once; then any thread may call the const functions. What is learnt about a token is the same whoever learns
/// it, so relaxed atomics are enough; the memory that it takes is bounded by the vocabulary.
class WholePieces {
 public:
  enum class Built : std::uint8_t { unknown, yes, no };

  /// `texts` by id, empty where an id has none; they are borrowed. Of equal texts the first counts.
  void fill(const std::vector<std::string_view>& texts);

  /// -1 if no token is spelt so.
  TokenId find(std::string_view text) const;
  /// Whether the merges make the token's text that one token. Vocabularies have tokens that no merge leads to.
  Built built(TokenId id) const { return built_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed); }
  void remember(TokenId id, Built built) const {
    built_[static_cast<std::size_t>(id)].store(built, std::memory_order_relaxed);
  }

 private:
  struct Place {
    std::string_view text;
    TokenId id = -1;
  };
  std::size_t place_of(std::string_view text) const;

  std::vector<Place> table_;  ///< open addressing, a power of two of places, at most half of them taken
  std::unique_ptr<std::atomic<Built>[]> built_;
};

}  // namespace retort::text
