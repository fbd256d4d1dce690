// See prefix_cache.h.
#include "runtime/cache/prefix_cache.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace retort::runtime {

bool PrefixCache::Lexicographic::operator()(std::span<const TokenId> a, std::span<const TokenId> b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

PrefixCache::PrefixCache(BlockPool& pool, std::int64_t chunk, std::int64_t capacity)
    : pool_(pool), chunk_(chunk), capacity_(capacity) {
  if (chunk < kBlockTokens || chunk % kBlockTokens != 0)
    throw std::invalid_argument("prefix cache: expected chunks of a multiple of " + std::to_string(kBlockTokens) +
                                " tokens, found " + std::to_string(chunk));
}

PrefixCache::~PrefixCache() {
  clear();
}

std::vector<PrefixCache::Node*> PrefixCache::path(std::span<const TokenId> tokens) {
  std::vector<Node*> nodes{&root_};
  const auto chunk = static_cast<std::size_t>(chunk_);
  for (; tokens.size() >= chunk; tokens = tokens.subspan(chunk)) {
    Children& children = nodes.back()->children;
    const auto found = children.find(tokens.first(chunk));
    if (found == children.end()) break;
    nodes.push_back(found->second.get());
  }
  return nodes;
}

void PrefixCache::touch(const std::vector<Node*>& path) {
  for (auto node = path.rbegin(); *node != &root_; ++node) recent_.splice(recent_.begin(), recent_, (*node)->recency);
}

void PrefixCache::match(std::span<const TokenId> tokens, std::vector<BlockId>& blocks) {
  blocks.clear();
  const std::vector<Node*> nodes = path(tokens);
  for (const Node* node : nodes) blocks.insert(blocks.end(), node->blocks.begin(), node->blocks.end());
  for (const BlockId block : blocks) pool_.share(block);
  touch(nodes);
}

void PrefixCache::insert(std::span<const TokenId> tokens, std::span<const BlockId> blocks) {
  const std::int64_t blocks_of_chunk = chunk_ / kBlockTokens;
  const auto chunks = static_cast<std::int64_t>(tokens.size()) / chunk_;
  std::vector<Node*> nodes = path(tokens);
  touch(nodes);
  for (auto i = static_cast<std::int64_t>(nodes.size()) - 1; i < chunks; ++i) {
    const std::int64_t path_blocks = i * blocks_of_chunk;
    if (path_blocks + blocks_of_chunk > capacity_) break;  // only this path could make room
    while (held_ + blocks_of_chunk > capacity_) drop_last();
    Node* parent = nodes.back();
    const auto key = tokens.subspan(static_cast<std::size_t>(i * chunk_), static_cast<std::size_t>(chunk_));
    const auto place =
        parent->children.emplace(std::vector<TokenId>(key.begin(), key.end()), std::make_unique<Node>()).first;
    Node* node = place->second.get();
    node->parent = parent;
    node->place = place;
    const auto own = blocks.subspan(static_cast<std::size_t>(path_blocks), static_cast<std::size_t>(blocks_of_chunk));
    node->blocks.assign(own.begin(), own.end());
    for (const BlockId block : own) pool_.share(block);
    held_ += blocks_of_chunk;
    recent_.push_front(node);
    node->recency = recent_.begin();
    nodes.push_back(node);
    touch(nodes);
  }
}

void PrefixCache::drop_last() {
  Node* node = recent_.back();
  recent_.pop_back();
  for (const BlockId block : node->blocks) pool_.release(block);
  held_ -= static_cast<std::int64_t>(node->blocks.size());
  node->parent->children.erase(node->place);  // a leaf: see touch()
}

void PrefixCache::clear() {
  while (!recent_.empty()) drop_last();
}

}  // namespace retort::runtime
