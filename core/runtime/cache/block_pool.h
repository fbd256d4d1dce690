// Who owns which block of the KV cache: a free list and one count of references per block. Knows nothing of their
// content.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/cache/kv_cache.h"

namespace retort::runtime {

/// Blocks 0 to count − 1. No allocation after construction. Used by one thread at a time.
class BlockPool {
 public:
  explicit BlockPool(std::int64_t count);

  /// A free block, with one reference: the lowest ones first, until some come back. Throws std::logic_error when all
  /// are taken, which the decoder's sizes exclude.
  BlockId take();
  void share(BlockId block);    ///< one reference more; the block must be taken
  void release(BlockId block);  ///< one less; the last one frees it
  std::int64_t size() const { return static_cast<std::int64_t>(references_.size()); }
  std::int64_t free() const { return static_cast<std::int64_t>(free_.size()); }
  std::int64_t references(BlockId block) const { return references_.at(static_cast<std::size_t>(block)); }

 private:
  std::vector<BlockId> free_;  // the next one last
  std::vector<std::int32_t> references_;
};

}  // namespace retort::runtime
