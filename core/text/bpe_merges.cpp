// BPE by a priority queue over a linked list of symbols; entries that a later merge made stale are recognised by their
// ids when they are taken out.
#include "text/bpe_merges.h"

#include <algorithm>
#include <utility>

namespace retort::text {
namespace {

std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

constexpr std::int32_t none = -1;

struct Symbol {
  TokenId id = 0;  ///< -1: merged into the symbol before it
  std::int32_t previous = none;
  std::int32_t next = none;
};

struct Candidate {
  std::int32_t rank = 0;
  std::int32_t place = 0;
  TokenId left = 0, right = 0, merged = 0;
};

/// Order of the heap: lowest rank first, then leftmost.
bool later(const Candidate& a, const Candidate& b) {
  return std::pair(a.rank, a.place) > std::pair(b.rank, b.place);
}

}  // namespace

void BpeMerges::add(TokenId left, TokenId right, std::int32_t rank, TokenId merged) {
  merges_.insert_or_assign(pair_key(left, right), Merge{rank, merged});
}

const BpeMerges::Merge* BpeMerges::find(TokenId left, TokenId right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeMerges::apply(std::vector<TokenId>& ids) const {
  if (ids.size() < 2) return;
  const auto count = static_cast<std::int32_t>(ids.size());
  thread_local std::vector<Symbol> symbols;
  thread_local std::vector<Candidate> heap;
  symbols.resize(ids.size());
  heap.clear();
  const auto symbol = [](std::int32_t place) -> Symbol& { return symbols[static_cast<std::size_t>(place)]; };
  const auto propose = [&](std::int32_t place) {
    if (place == none || symbol(place).next == none) return;
    const TokenId left = symbol(place).id;
    const TokenId right = symbol(symbol(place).next).id;
    const Merge* merge = find(left, right);
    if (merge == nullptr) return;
    heap.push_back({merge->rank, place, left, right, merge->merged});
    std::push_heap(heap.begin(), heap.end(), later);
  };
  for (std::int32_t i = 0; i < count; ++i)
    symbol(i) = {ids[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : none};
  for (std::int32_t i = 0; i + 1 < count; ++i) propose(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbol(best.place);
    if (left.id != best.left || left.next == none || symbol(left.next).id != best.right) continue;  // stale
    Symbol& right = symbol(left.next);
    left.id = best.merged;
    right.id = -1;
    left.next = right.next;
    if (left.next != none) symbol(left.next).previous = best.place;
    propose(left.previous);
    propose(best.place);
  }
  ids.clear();
  for (std::int32_t place = 0; place != none; place = symbol(place).next) ids.push_back(symbol(place).id);
}

}  // namespace retort::text
