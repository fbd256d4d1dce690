// See vector_kernels.h. Reductions carry `omp simd reduction` because their order may change; nothing else may.
#include "runtime/vector_kernels.h"

#include <cmath>
#include <limits>

#include "runtime/bfloat16.h"
#include "runtime/exponential.h"
#include "runtime/multiversion.h"

namespace retort::runtime {
namespace {

// Below this, 127 / maximum or 16256 / maximum overflows; such a row is zero for every purpose.
constexpr float kSmallestMaximum = 1e-34f;
constexpr float kLargestWideCode = 127.0f * 128.0f;

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
  const bool zero = !(maximum > kSmallestMaximum);
  const float inverse = zero ? 0.0f : kLargestWideCode / maximum;
  for (std::int64_t first = 0; first < count; first += group, high += group, low += group) {
    const std::int64_t size = count - first < group ? count - first : group;
    std::int32_t high_sum = 0, low_sum = 0;
    for (std::int64_t i = 0; i < group; i += 8) {
      std::int32_t uppers[8], lowers[8];
      if (i + 8 <= size) {
#pragma omp simd reduction(+ : high_sum, low_sum)
        for (std::int64_t j = 0; j < 8; ++j) {
          const std::int32_t code = round_to_int(x[first + i + j] * inverse);
          uppers[j] = (code + 64) >> 7;
          lowers[j] = code - (uppers[j] << 7);
          high_sum += uppers[j];
          low_sum += lowers[j];
        }
      } else {
        for (std::int64_t j = 0; j < 8; ++j) {
          const std::int32_t code = i + j < size ? round_to_int(x[first + i + j] * inverse) : 0;
          uppers[j] = (code + 64) >> 7;
          lowers[j] = code - (uppers[j] << 7);
          high_sum += uppers[j];
          low_sum += lowers[j];
        }
      }
      for (std::int64_t j = 0; j < 4; ++j) {
        high[i + j] = static_cast<std::int8_t>(uppers[2 * j]);
        high[i + 4 + j] = static_cast<std::int8_t>(uppers[2 * j + 1]);
        low[i + j] = static_cast<std::int8_t>(lowers[2 * j]);
        low[i + 4 + j] = static_cast<std::int8_t>(lowers[2 * j + 1]);
      }
    }
    *high_sums++ = high_sum;
    *low_sums++ = low_sum;
  }
  return zero ? 0.0f : maximum / kLargestWideCode;
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

RETORT_MULTIVERSION
float swiglu(const float* gate, const float* up, std::int64_t count, float scale, float* out) {
  float maximum = 0;
#pragma omp simd reduction(max : maximum)
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gate[i] * scale;
    const float value = g / (1.0f + exponential(-g)) * (up[i] * scale);
    const float size = std::fabs(value);
    out[i] = value;
    maximum = size > maximum ? size : maximum;
  }
  return maximum;
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
