// The tokens of a mask as they are found: a list until they are many, so that a state with few tokens costs no pass
// over 19 kB of bits.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "grammar/grammar.h"

namespace retort::grammar {

class MaskBuilder {
 public:
  explicit MaskBuilder(std::size_t words) : words_(words) {}  ///< [V/64]

  void add(TokenId token) {
    if (bits_.empty()) {
      few_.push_back(token);
      if (few_.size() > most_listed) spill();
    } else {
      bits_[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (static_cast<std::uint32_t>(token) % 64);
    }
  }
  void add(std::span<const TokenId> tokens) {
    for (const TokenId token : tokens) add(token);
  }
  void add(const std::vector<std::uint64_t>& mask);     ///< [V/64]
  void remove(const std::vector<std::uint64_t>& mask);  ///< [V/64]
  /// With the second token of every pair whose first one was found.
  TokenMask finish(const std::vector<std::pair<TokenId, TokenId>>& twins);

 private:
  static constexpr std::size_t most_listed = 1024;  // 4 kB in place of 19

  void spill();

  std::size_t words_;
  std::vector<TokenId> few_;
  std::vector<std::uint64_t> bits_;  ///< empty: few_ holds all
};

}  // namespace retort::grammar
