// A short piece, which nearly every one is, is searched for its best pair after each merge. A long one has a priority
// queue over a linked list of symbols; entries that a later merge made stale are recognised by their ids when they are
// taken out.
#include "text/bpe_merges.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>
#include <utility>

namespace retort::text {
namespace {

std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

constexpr std::int32_t none = -1;
constexpr std::size_t few = 32;  // symbols; beyond them the search costs more than the queue

struct Symbol {
  TokenId id = 0;  ///< -1: merged into the symbol before it
  std::int32_t previous = none;
  std::int32_t next = none;
};

struct MergeCandidate {
  std::int32_t rank = 0;
  std::int32_t place = 0;
  TokenId left = 0, right = 0, merged = 0;
};

/// Order of the heap: lowest rank first, then leftmost.
bool later(const MergeCandidate& a, const MergeCandidate& b) {
  return std::pair(a.rank, a.place) > std::pair(b.rank, b.place);
}

}  // namespace

std::size_t BpeMerges::place_of(std::uint64_t pair) const {
  const std::size_t mask = table_.size() - 1;
  // Fibonacci hashing: the product's upper half depends on all bits of the pair.
  std::size_t place = static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15U) >> 32) & mask;
  while (table_[place].pair != no_pair && table_[place].pair != pair) place = (place + 1) & mask;
  return place;
}

void BpeMerges::reserve(std::size_t count) {
  const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(2 * count, 16));
  if (wanted <= table_.size()) return;
  const FlatTable<Merge> old = std::exchange(table_, FlatTable<Merge>(std::vector<Merge>(wanted)));
  for (const Merge& merge : old.values())
    if (merge.pair != no_pair) table_.mutable_at(place_of(merge.pair)) = merge;
}

void BpeMerges::add(TokenId left, TokenId right, std::int32_t rank, TokenId merged) {
  reserve(count_ + 1);
  const std::uint64_t pair = pair_key(left, right);
  Merge& merge = table_.mutable_at(place_of(pair));
  if (merge.pair == no_pair) ++count_;
  merge = {pair, rank, merged};
}

void BpeMerges::attach(FlatTable<Merge> table, std::size_t ids) {
  std::size_t count = 0;
  bool sound = std::has_single_bit(table.size());
  for (const Merge& merge : table.values()) {
    if (merge.pair == no_pair) continue;
    ++count;
    sound = sound && merge.merged >= 0 && merge.merged < static_cast<TokenId>(ids);
  }
  if (!sound || count == table.size())
    throw std::invalid_argument("table of merges: tokens that do not exist, or no free place");
  table_ = std::move(table);
  count_ = count;
}

const BpeMerges::Merge* BpeMerges::find(TokenId left, TokenId right) const {
  const Merge& merge = table_[place_of(pair_key(left, right))];
  return merge.pair == no_pair ? nullptr : &merge;
}

void BpeMerges::apply(std::vector<TokenId>& ids) const {
  if (count_ == 0 || ids.size() < 2) return;
  if (ids.size() <= few)
    apply_to_few(ids);
  else
    apply_to_many(ids);
}

void BpeMerges::apply_to_few(std::vector<TokenId>& ids) const {
  std::array<const Merge*, few> merges{};  // of a symbol with the one behind it
  std::size_t count = ids.size();
  for (std::size_t i = 0; i + 1 < count; ++i) merges[i] = find(ids[i], ids[i + 1]);
  while (count > 1) {
    std::size_t best = count;
    std::int32_t rank = 0;
    for (std::size_t i = 0; i + 1 < count; ++i)
      if (merges[i] != nullptr && (best == count || merges[i]->rank < rank)) {
        best = i;
        rank = merges[i]->rank;
      }
    if (best == count) break;
    ids[best] = merges[best]->merged;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      ids[i] = ids[i + 1];
      merges[i] = merges[i + 1];
    }
    --count;
    if (best > 0) merges[best - 1] = find(ids[best - 1], ids[best]);
    merges[best] = best + 1 < count ? find(ids[best], ids[best + 1]) : nullptr;
  }
  ids.resize(count);
}

void BpeMerges::apply_to_many(std::vector<TokenId>& ids) const {
  const auto count = static_cast<std::int32_t>(ids.size());
  thread_local std::vector<Symbol> symbols;
  thread_local std::vector<MergeCandidate> heap;
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
    const MergeCandidate best = heap.back();
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
