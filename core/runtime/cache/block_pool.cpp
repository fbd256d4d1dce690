// See block_pool.h.
#include "runtime/cache/block_pool.h"

#include <stdexcept>
#include <string>

namespace retort::runtime {

BlockPool::BlockPool(std::int64_t count) : references_(static_cast<std::size_t>(count)) {
  free_.reserve(references_.size());
  for (std::int64_t block = count - 1; block >= 0; --block) free_.push_back(static_cast<BlockId>(block));
}

BlockId BlockPool::take() {
  if (free_.empty()) throw std::logic_error("kv cache: all " + std::to_string(size()) + " blocks are taken");
  const BlockId block = free_.back();
  free_.pop_back();
  references_[static_cast<std::size_t>(block)] = 1;
  return block;
}

void BlockPool::share(BlockId block) {
  std::int32_t& references = references_.at(static_cast<std::size_t>(block));
  if (references == 0) throw std::logic_error("kv cache: block " + std::to_string(block) + " is free, cannot share it");
  ++references;
}

void BlockPool::release(BlockId block) {
  std::int32_t& references = references_.at(static_cast<std::size_t>(block));
  if (references == 0) throw std::logic_error("kv cache: block " + std::to_string(block) + " is released twice");
  if (--references == 0) free_.push_back(block);
}

}  // namespace retort::runtime
