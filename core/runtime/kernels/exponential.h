// e^x as straight-line code that a compiler can vectorise inside any loop: libm's is a call per element.
#pragma once

#include <bit>
#include <cstdint>

namespace retort::runtime {

/// Adding and subtracting 1.5·2²³ rounds |x| < 2²² to the nearest integer, half to even; until it is subtracted, the
/// integer stands in the low bits. Needs strict IEEE arithmetic (no -ffast-math).
inline constexpr float kRounder = 12582912.0f;
inline constexpr std::int32_t kRounderBits = 0x4B400000;

[[gnu::always_inline]] inline std::int32_t round_to_int(float x) {
  return std::bit_cast<std::int32_t>(x + kRounder) - kRounderBits;
}

/// Relative error below 2e-7 for −87 ≤ x ≤ 88; clamped outside. Cephes' expf: x = n·ln 2 + r, polynomial in r.
[[gnu::always_inline]] inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const std::int32_t n = round_to_int(x * 1.44269504088896341f);
  const auto whole = static_cast<float>(n);
  const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * r * r + r + 1.0f) * std::bit_cast<float>((n + 127) << 23);
}

}  // namespace retort::runtime
