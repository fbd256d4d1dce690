// The merges of a BPE model and their application to one piece of text. No text handling: ids in, ids out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/flat_table.h"
#include "text/tokenizer.h"

namespace retort::text {

/// Immutable once filled; apply() may be called from any thread.
class BpeMerges {
 public:
  static constexpr std::uint64_t no_pair = ~std::uint64_t{0};
  struct Merge {
    std::uint64_t pair = no_pair;
    std::int32_t rank = 0;
    TokenId merged = 0;
  };

  /// `rank`: a lower one is applied first. A pair added twice keeps the last rank, as in Hugging Face tokenizers.
  void add(TokenId left, TokenId right, std::int32_t rank, TokenId merged);
  void reserve(std::size_t count);
  /// A table() of merges of `ids` tokens, in place of add(). Throws std::invalid_argument where it has other tokens.
  void attach(FlatTable<Merge> table, std::size_t ids);
  /// Open addressing, a power of two of places, at most half of them taken.
  const FlatTable<Merge>& table() const { return table_; }

  /// Applies to `ids` the merge of lowest rank, leftmost first, until none applies. O(n log n).
  void apply(std::vector<TokenId>& ids) const;

 private:
  const Merge* find(TokenId left, TokenId right) const;
  std::size_t place_of(std::uint64_t pair) const;
  void apply_to_few(std::vector<TokenId>& ids) const;
  void apply_to_many(std::vector<TokenId>& ids) const;

  FlatTable<Merge> table_;
  std::size_t count_ = 0;
};

}  // namespace retort::text
