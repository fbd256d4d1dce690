// See vector_kernels.h. Reductions carry `omp simd reduction` because their order may change; nothing else may.
#include "runtime/kernels/vector_kernels.h"

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "runtime/kernels/bfloat16.h"
#include "runtime/kernels/exponential.h"
#include "runtime/kernels/multiversion.h"

namespace retort::runtime {
namespace {

// Below this, 127 / maximum or 16256 / maximum overflows; such a row is zero for every purpose.
constexpr float kSmallestMaximum = 1e-34f;
constexpr float kLargestWideCode = 127.0f * 128.0f;

// Bytes 0, 2, 4, 6 of a little-endian number as its lower half.
[[gnu::always_inline]] inline std::uint64_t even_bytes(std::uint64_t word) {
  word &= 0x00FF00FF00FF00FF;
  word = (word | word >> 8) & 0x0000FFFF0000FFFF;
  return (word | word >> 16) & 0x00000000FFFFFFFF;
}

// Eight codes, 128 added to each, summed two by two into quarters of 16 bits, which have room for 256 codes in all.
[[gnu::always_inline]] inline std::uint64_t sums_of_pairs(const std::int8_t* codes) {
  std::uint64_t word = 0;
  std::memcpy(&word, codes, sizeof(word));
  word ^= 0x8080808080808080;
  return (word & 0x00FF00FF00FF00FF) + (word >> 8 & 0x00FF00FF00FF00FF);
}

[[gnu::always_inline]] inline std::uint64_t sum_of_quarters(std::uint64_t quarters) {
  return (quarters * 0x0001000100010001) >> 48;
}

// Orders each eight codes as 0 2 4 6 1 3 5 7.
[[gnu::always_inline]] inline void put_even_codes_first(std::int8_t* codes, std::int64_t eights) {
#pragma omp simd
  for (std::int64_t i = 0; i < eights; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, codes + 8 * i, sizeof(word));
    word = even_bytes(word) | even_bytes(word >> 8) << 32;
    std::memcpy(codes + 8 * i, &word, sizeof(word));
  }
}

}  // namespace

RETORT_MULTIVERSION
float rms_norm(const float* x, const float* weight, std::int64_t count, float epsilon, float* out) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < count; ++i) squares += x[i] * x[i];
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(count) + epsilon);
  float maximum = 0;
#pragma omp simd reduction(max : maximum)
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = x[i] * inverse * weight[i];
    const float size = std::fabs(value);
    out[i] = value;
    maximum = size > maximum ? size : maximum;
  }
  return maximum;
}

RETORT_MULTIVERSION
float max_abs(const float* x, std::int64_t count) {
  float maximum = 0;
#pragma omp simd reduction(max : maximum)
  for (std::int64_t i = 0; i < count; ++i) {
    const float size = std::fabs(x[i]);
    maximum = size > maximum ? size : maximum;
  }
  return maximum;
}

RETORT_MULTIVERSION
float quantize_row(const float* x, std::int64_t count, float maximum, std::int8_t* codes) {
  const bool zero = !(maximum > kSmallestMaximum);
  const float inverse = zero ? 0.0f : 127.0f / maximum;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) codes[i] = static_cast<std::int8_t>(round_to_int(x[i] * inverse));
  return zero ? 0.0f : maximum / 127.0f;
}

RETORT_MULTIVERSION
float quantize_row_wide(const float* x, std::int64_t count, float maximum, std::int8_t* high, std::int8_t* low) {
  const bool zero = !(maximum > kSmallestMaximum);
  const float inverse = zero ? 0.0f : kLargestWideCode / maximum;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t code = round_to_int(x[i] * inverse);
    const std::int32_t upper = (code + 64) >> 7;
    high[i] = static_cast<std::int8_t>(upper);
    low[i] = static_cast<std::int8_t>(code - (upper << 7));
  }
  return zero ? 0.0f : maximum / kLargestWideCode;
}

RETORT_MULTIVERSION
float quantize_groups_wide(const float* x, std::int64_t count, std::int64_t group, float maximum, std::int8_t* high,
                           std::int8_t* low, std::int32_t* high_sums, std::int32_t* low_sums) {
  const float scale = quantize_row_wide(x, count, maximum, high, low);
  const std::int64_t groups = (count + group - 1) / group;
  for (std::int8_t* plane : {high, low}) {
    std::memset(plane + count, 0, static_cast<std::size_t>(groups * group - count));
    std::int32_t* sums = plane == high ? high_sums : low_sums;
    for (std::int64_t g = 0; g < groups; ++g) {
      std::uint64_t sum = 0;
      for (std::int64_t i = 0; i < group; i += 8) sum += sums_of_pairs(plane + g * group + i);
      sums[g] = static_cast<std::int32_t>(sum_of_quarters(sum)) - 128 * static_cast<std::int32_t>(group);
    }
    put_even_codes_first(plane, groups * group / 8);
  }
  return scale;
}

RETORT_MULTIVERSION
void join_planes(const float* high, const float* low, std::int64_t count, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] = 128.0f * high[i] + low[i];
}

RETORT_MULTIVERSION
void round_to_bfloat16(const float* x, std::int64_t count, std::uint16_t* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] = to_bfloat16(x[i]);
}

RETORT_MULTIVERSION
void rotate(const float* x, const float* cosine, const float* sine, std::int64_t head_dim, float scale, float* out) {
  const std::int64_t half = head_dim / 2;
#pragma omp simd
  for (std::int64_t i = 0; i < half; ++i) {
    const float first = x[i] * scale;
    const float second = x[i + half] * scale;
    out[i] = first * cosine[i] - second * sine[i];
    out[i + half] = second * cosine[i] + first * sine[i];
  }
}

namespace {

/// x / (1 + e^exponent(x)) · up of x = gate · scale, and the greatest magnitude. Inlined into each clone of its
/// callers.
template <typename Exponent>
[[gnu::always_inline]] inline float gated_row(const float* gate, const float* up, std::int64_t count, float scale,
                                              float* out, const Exponent& exponent) {
  // Exponentials in a loop of their own: behind the division GCC would divide for what was clamped once more.
  constexpr std::int64_t kBlock = 64;
  float maximum = 0;
  for (std::int64_t first = 0; first < count; first += kBlock) {
    const std::int64_t size = count - first < kBlock ? count - first : kBlock;
    float powers[kBlock];
#pragma omp simd
    for (std::int64_t i = 0; i < size; ++i) powers[i] = exponential(exponent(gate[first + i] * scale));
#pragma omp simd reduction(max : maximum)
    for (std::int64_t i = 0; i < size; ++i) {
      const float value = gate[first + i] * scale / (1.0f + powers[i]) * (up[first + i] * scale);
      const float magnitude = std::fabs(value);
      out[first + i] = value;
      maximum = magnitude > maximum ? magnitude : maximum;
    }
  }
  return maximum;
}

}  // namespace

RETORT_MULTIVERSION
float swiglu(const float* gate, const float* up, std::int64_t count, float scale, float* out) {
  return gated_row(gate, up, count, scale, out, [](float x) __attribute__((always_inline)) { return -x; });
}

RETORT_MULTIVERSION
float geglu(const float* gate, const float* up, std::int64_t count, float scale, float* out) {
  // (1 + tanh z)/2 = 1/(1 + e^−2z), so that it is silu with another exponent.
  constexpr float kSlope = 1.5957691216057308f, kCube = 0.044715f;  // 2√(2/π)
  return gated_row(gate, up, count, scale, out,
                   [](float x) __attribute__((always_inline)) { return -kSlope * (x + kCube * x * x * x); });
}

RETORT_MULTIVERSION
void add_scaled(const float* x, float scale, std::int64_t count, float* target) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) target[i] += x[i] * scale;
}

RETORT_MULTIVERSION
void scale_row(float scale, std::int64_t count, float* x) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) x[i] *= scale;
}

RETORT_MULTIVERSION
std::int64_t argmax(const float* x, std::int64_t count) {
  float maximum = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : maximum)
  for (std::int64_t i = 0; i < count; ++i) maximum = x[i] > maximum ? x[i] : maximum;
  for (std::int64_t i = 0; i < count; ++i) {
    if (x[i] == maximum) return i;
  }
  return -1;
}

}  // namespace retort::runtime
