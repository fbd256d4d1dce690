// The hash of a short text, the same in every process and on every machine: tables that are stored are addressed by it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace retort::text {

/// Eight bytes at a time, each multiplied in (Fibonacci hashing); not for adversaries.
inline std::uint64_t text_hash(std::string_view text) {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15U;
  const auto mixed = [](std::uint64_t bits) {
    bits *= kFactor;
    return bits ^ (bits >> 32U);
  };
  std::uint64_t hash = mixed(text.size() + 1);
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = mixed(hash ^ word);
    text.remove_prefix(8);
  }
  std::uint64_t rest = 0;
  for (std::size_t i = 0; i < text.size(); ++i) rest |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  return mixed(hash ^ rest);
}

}  // namespace retort::text
