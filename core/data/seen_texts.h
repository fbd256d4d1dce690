// Hashes of texts that were seen: 10 to 13 bytes each, where a node a text costs 40.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace retort::data {

/// Open addressing, linear probing; grows by a quarter. Used by one thread at a time.
class SeenTexts {
 public:
  /// False where the hash was there.
  bool insert(std::uint64_t hash) {
    hash += hash == 0 ? 1 : 0;  // 0 marks what is free
    if ((used_ + 1) * 5 > slots_.size() * 4) grow();
    if (!put(slots_, hash)) return false;
    ++used_;
    return true;
  }
  bool contains(std::uint64_t hash) const {
    hash += hash == 0 ? 1 : 0;
    if (slots_.empty()) return false;
    for (std::size_t slot = first_slot(slots_, hash); slots_[slot] != 0; slot = after(slots_, slot))
      if (slots_[slot] == hash) return true;
    return false;
  }
  std::size_t size() const { return used_; }

 private:
  static std::size_t first_slot(const std::vector<std::uint64_t>& slots, std::uint64_t hash) {
    // The high half of a product spreads hashes over any number of slots (Lemire 2019, arXiv 1805.10941).
    const std::uint64_t mixed = hash * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(((mixed >> 32U) * slots.size()) >> 32U);
  }
  static std::size_t after(const std::vector<std::uint64_t>& slots, std::size_t slot) {
    return slot + 1 == slots.size() ? 0 : slot + 1;
  }
  static bool put(std::vector<std::uint64_t>& slots, std::uint64_t hash) {
    std::size_t slot = first_slot(slots, hash);
    for (; slots[slot] != 0; slot = after(slots, slot))
      if (slots[slot] == hash) return false;
    slots[slot] = hash;
    return true;
  }
  void grow() {
    std::vector<std::uint64_t> larger(slots_.size() + slots_.size() / 4 + 1024);
    for (const std::uint64_t hash : slots_)
      if (hash != 0) put(larger, hash);
    slots_.swap(larger);
  }

  std::vector<std::uint64_t> slots_;
  std::size_t used_ = 0;
};

}  // namespace retort::data
