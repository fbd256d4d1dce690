// The sequences that a decoder holds: for each the blocks of the KV cache that it owns and how far it has come.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/cache/block_pool.h"

namespace retort::runtime {

/// SequenceTable 0 to count − 1, empty at first. No allocation after construction. Used by one thread at a time.
class SequenceTable {
 public:
  /// `context`: tokens of one sequence at most. `pool` must outlive the object.
  SequenceTable(std::int64_t count, std::int64_t context, BlockPool& pool);

  std::int64_t count() const { return static_cast<std::int64_t>(tables_.size()); }
  std::int64_t context() const { return context_; }
  std::int64_t position(std::int64_t sequence) const { return at(sequence).position; }
  const std::vector<BlockId>& blocks(std::int64_t sequence) const { return at(sequence).blocks; }

  /// Gives all its blocks back.
  void clear(std::int64_t sequence);
  /// Where the next token stands; takes a block where one begins. The sequence must have room.
  RowPlace append(std::int64_t sequence);
  /// The empty sequence now begins with these filled blocks, whose references become its own.
  void begin(std::int64_t sequence, const std::vector<BlockId>& blocks);
  /// Sequence `to` becomes the first `tokens` tokens of `from` (at most its position), whose whole blocks they share;
  /// of `from` itself the beginning where the two are one. A block that is not whole is its own: then the content of
  /// `source` is to be copied to `target`, else both are −1.
  struct BlockCopy {
    BlockId source = -1;
    BlockId target = -1;
  };
  BlockCopy fork(std::int64_t from, std::int64_t to, std::int64_t tokens);

 private:
  struct Table {
    std::vector<BlockId> blocks;  // capacity for a full context
    std::int64_t position = 0;
  };
  const Table& at(std::int64_t sequence) const { return tables_.at(static_cast<std::size_t>(sequence)); }

  std::int64_t context_;
  BlockPool& pool_;
  std::vector<Table> tables_;
};

}  // namespace retort::runtime
