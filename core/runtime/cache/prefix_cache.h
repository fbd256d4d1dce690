// Beginnings of prompts whose keys and values are kept: a radix tree over chunks of tokens, bounded, the least recently
// used leaf first out. Shares blocks with the sequences by reference count; knows nothing of what is in them.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "runtime/cache/block_pool.h"

namespace retort::runtime {

using TokenId = std::int32_t;

/// Every edge of the tree is one chunk, compared token by token: no hash can collide. Chunks are the passes in which a
/// prompt is computed, so a kept chunk has the very bits that computing it again would give (see Decoder::prompt).
/// Used by one thread at a time.
class PrefixCache {
 public:
  /// `chunk`: tokens, a multiple of kBlockTokens. Holds at most `capacity` blocks; less than one chunk of them:
  /// nothing. `pool` must outlive the object.
  PrefixCache(BlockPool& pool, std::int64_t chunk, std::int64_t capacity);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// The blocks of the longest kept beginning of `tokens`, one reference each for the caller, in `blocks` (replaced).
  void match(std::span<const TokenId> tokens, std::vector<BlockId>& blocks);
  /// Keeps the whole chunks at the beginning of `tokens`, whose keys and values stand in `blocks` (one per kBlockTokens
  /// tokens). Makes room by dropping what was not used for longest; keeps a shorter beginning where all of it would not
  /// fit. A chunk that is kept already stays with its own blocks.
  void insert(std::span<const TokenId> tokens, std::span<const BlockId> blocks);
  void clear();

  std::int64_t blocks() const { return held_; }  ///< kept now
  std::int64_t capacity() const { return capacity_; }

 private:
  struct Node;
  struct Lexicographic {
    using is_transparent = void;
    bool operator()(std::span<const TokenId> a, std::span<const TokenId> b) const;
  };
  using Children = std::map<std::vector<TokenId>, std::unique_ptr<Node>, Lexicographic>;
  struct Node {
    Node* parent = nullptr;
    Children::iterator place;  // among the parent's children; unset for the root
    Children children;
    std::vector<BlockId> blocks;
    std::list<Node*>::iterator recency;
  };
  /// The path along `tokens` as far as it is kept, root first.
  std::vector<Node*> path(std::span<const TokenId> tokens);
  /// Children before parents, so that a parent is always the more recent one and the last of the list is a leaf.
  void touch(const std::vector<Node*>& path);
  void drop_last();

  BlockPool& pool_;
  std::int64_t chunk_, capacity_;
  std::int64_t held_ = 0;
  Node root_;
  std::list<Node*> recent_;  // most recently used first; without the root
};

}  // namespace retort::runtime
