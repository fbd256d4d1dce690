// The merges of a BPE model and their application to one piece of text. No text handling: ids in, ids out.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"

namespace retort::text {

/// Immutable once filled; apply() may be called from any thread.
class BpeMerges {
 public:
  /// `rank`: a lower one is applied first. A pair added twice keeps the last rank, as in Hugging Face tokenizers.
  void add(TokenId left, TokenId right, std::int32_t rank, TokenId merged);
  void reserve(std::size_t count) { merges_.reserve(count); }

  /// Applies to `ids` the merge of lowest rank, leftmost first, until none applies. O(n log n).
  void apply(std::vector<TokenId>& ids) const;

 private:
  struct Merge {
    std::int32_t rank = 0;
    TokenId merged = 0;
  };
  const Merge* find(TokenId left, TokenId right) const;

  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace retort::text
