// See vector_kernels.h. Reductions carry `omp simd reduction` because their order may change; nothing else may.
#include "runtime/vector_kernels.h"

#include <cmath>
#include <limits>

#include "runtime/bfloat16.h"
#include "runtime/exponential.h"
#include "runtime/multiversion.h"

namespace retort::runtime {

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
  // Below this, 127 / maximum overflows; such a row is zero for every purpose.
  const bool zero = !(maximum > 1e-36f);
  const float inverse = zero ? 0.0f : 127.0f / maximum;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) codes[i] = static_cast<std::int8_t>(round_to_int(x[i] * inverse));
  return zero ? 0.0f : maximum / 127.0f;
}

RETORT_MULTIVERSION
void quantize_groups(const float* x, std::int64_t count, std::int64_t group, std::int8_t* codes, float* scales,
                     std::int32_t* sums) {
  for (std::int64_t first = 0; first < count; first += group, codes += group, ++scales, ++sums) {
    const std::int64_t size = count - first < group ? count - first : group;
    float maximum = 0;
#pragma omp simd reduction(max : maximum)
    for (std::int64_t i = 0; i < size; ++i) {
      const float magnitude = std::fabs(x[first + i]);
      maximum = magnitude > maximum ? magnitude : maximum;
    }
    const bool zero = !(maximum > 1e-36f);
    const float inverse = zero ? 0.0f : 127.0f / maximum;
    std::int32_t sum = 0;
    std::int64_t i = 0;
    for (; i + 8 <= size; i += 8) {
      std::int32_t eight[8];
#pragma omp simd reduction(+ : sum)
      for (std::int64_t j = 0; j < 8; ++j) {
        eight[j] = round_to_int(x[first + i + j] * inverse);
        sum += eight[j];
      }
      for (std::int64_t j = 0; j < 4; ++j) {
        codes[i + j] = static_cast<std::int8_t>(eight[2 * j]);
        codes[i + 4 + j] = static_cast<std::int8_t>(eight[2 * j + 1]);
      }
    }
    for (std::int64_t j = i; j < group; ++j) codes[j] = 0;
    for (std::int64_t j = i; j < size; ++j) {
      const std::int32_t code = round_to_int(x[first + j] * inverse);
      codes[j / 8 * 8 + j % 2 * 4 + j % 8 / 2] = static_cast<std::int8_t>(code);
      sum += code;
    }
    *scales = zero ? 0.0f : maximum / 127.0f;
    *sums = sum;
  }
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
