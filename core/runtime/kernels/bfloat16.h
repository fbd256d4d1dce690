// Conversions between f32 and bf16, its upper half, as straight-line code that vectorises.
#pragma once

#include <bit>
#include <cstdint>

namespace retort::runtime {

/// Round to nearest even. For finite x; a NaN may become infinite.
[[gnu::always_inline]] inline std::uint16_t to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

[[gnu::always_inline]] inline float from_bfloat16(std::uint16_t x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16U);
}

}  // namespace retort::runtime
