// See mask_builder.h.
#include "grammar/mask_builder.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace retort::grammar {
namespace {

/// Bits set. In the manner of Warren, Hacker's Delight, 5-1: std::popcount is a call for each word without -mpopcnt.
std::int64_t count_bits(const std::vector<std::uint64_t>& words) {
  std::uint64_t total = 0;
  for (std::uint64_t word : words) {
    word -= word >> 1U & 0x5555555555555555U;
    word = (word & 0x3333333333333333U) + (word >> 2U & 0x3333333333333333U);
    word = (word + (word >> 4U)) & 0x0F0F0F0F0F0F0F0FU;
    word += word >> 8U;
    word += word >> 16U;
    word += word >> 32U;
    total += word & 0x7FU;
  }
  return static_cast<std::int64_t>(total);
}

}  // namespace

void MaskBuilder::spill() {
  bits_.assign(words_, 0);
  for (const TokenId token : few_) add(token);
  few_.clear();
}

void MaskBuilder::add(const std::vector<std::uint64_t>& mask) {
  if (bits_.empty()) spill();
  std::transform(bits_.begin(), bits_.end(), mask.begin(), bits_.begin(), std::bit_or<>());
}

void MaskBuilder::remove(const std::vector<std::uint64_t>& mask) {
  if (bits_.empty()) spill();
  std::transform(bits_.begin(), bits_.end(), mask.begin(), bits_.begin(),
                 [](std::uint64_t mine, std::uint64_t other) { return mine & ~other; });
}

TokenMask MaskBuilder::finish(const std::vector<std::pair<TokenId, TokenId>>& twins) {
  if (bits_.empty()) {
    std::sort(few_.begin(), few_.end());
    const std::size_t found = few_.size();
    for (const auto& [first, other] : twins)
      if (std::binary_search(few_.begin(), few_.begin() + static_cast<std::ptrdiff_t>(found), first))
        few_.push_back(other);
    if (few_.size() > found) std::sort(few_.begin(), few_.end());
    few_.erase(std::unique(few_.begin(), few_.end()), few_.end());
    if (few_.size() > most_listed || few_.size() * sizeof(TokenId) > words_ * sizeof(std::uint64_t)) spill();
  } else {
    const auto has = [&](TokenId token) {
      return (bits_[static_cast<std::size_t>(token) / 64] >> (static_cast<std::uint32_t>(token) % 64) & 1U) != 0;
    };
    for (const auto& [first, other] : twins)
      if (has(first)) add(other);
  }
  TokenMask mask;
  if (bits_.empty()) {
    mask.count = static_cast<std::int64_t>(few_.size());
    mask.few = std::move(few_);
    return mask;
  }
  mask.count = count_bits(bits_);
  if (mask.count <= static_cast<std::int64_t>(most_listed) &&
      static_cast<std::size_t>(mask.count) * sizeof(TokenId) <= words_ * sizeof(std::uint64_t)) {
    for (std::size_t word = 0; word < bits_.size(); ++word)
      for (std::uint64_t rest = bits_[word]; rest != 0; rest &= rest - 1)
        mask.few.push_back(static_cast<TokenId>(word * 64) + std::countr_zero(rest));
    return mask;
  }
  mask.bits = std::move(bits_);
  return mask;
}

}  // namespace retort::grammar
