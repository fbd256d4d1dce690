// Sixteen floats at a time, in functions compiled for several instruction sets, the widest that the CPU runs chosen at
// load: packages are built for any x86-64. Internal to core/train.
#pragma once

#include <cstdint>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RETORT_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RETORT_VECTORISED
#endif

namespace retort::train {

constexpr std::int64_t lane_count = 16;
using Lanes = float __attribute__((vector_size(64), aligned(4), may_alias));
using IntegerLanes = std::int32_t __attribute__((vector_size(64), aligned(4), may_alias));

[[gnu::always_inline]] inline Lanes& lanes_at(float* x) {  // NOLINT(readability-non-const-parameter): written to
  return *reinterpret_cast<Lanes*>(x);
}

/// y = exp(y), lane by lane; above 0 counts as 0. Cody and Waite's reduction by ln 2 in two parts, then the Taylor
/// polynomial of degree 6: relative error below 3e-7.
[[gnu::always_inline]] inline void exponentiate(Lanes& y) {
  constexpr float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  constexpr float least = -87.0f;  // below, the result has no exponent left
  const Lanes zero = {};
  y = y > zero ? zero : y;
  y = y < least ? zero + least : y;
  const IntegerLanes power = __builtin_convertvector(y * log2_e - 0.5f, IntegerLanes);  // rounds: y is not positive
  const Lanes n = __builtin_convertvector(power, Lanes);
  const Lanes r = y - n * ln2_high - n * ln2_low;
  Lanes polynomial = r * (1.0f / 720) + 1.0f / 120;
  polynomial = polynomial * r + 1.0f / 24;
  polynomial = polynomial * r + 1.0f / 6;
  polynomial = polynomial * r + 0.5f;
  polynomial = polynomial * r + 1.0f;
  polynomial = polynomial * r + 1.0f;
  const IntegerLanes scale = (power + 127) << 23;  // 2^power
  y = polynomial * reinterpret_cast<const Lanes&>(scale);
}

}  // namespace retort::train
