// FNV-1a, 64 bits (Fowler, Noll, Vo): tells texts apart, the same on every machine; no guard against malice.
#pragma once

#include <cstdint>
#include <string_view>

namespace retort::data {

/// `hash` is that of what stands before the text.
inline std::uint64_t text_hash(std::string_view text, std::uint64_t hash = 0xCBF29CE484222325ULL) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

}  // namespace retort::data
