// See outliers.h.
#include "runtime/linear/outliers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/kernels/exponential.h"
#include "runtime/kernels/multiversion.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kWordBytes = 4;

// Written with GCC's vectors where the loops' arrays would not stay in registers.
constexpr std::int64_t kLanes = 16;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Codes = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
constexpr std::int64_t kVectors = kPanelColumns / kLanes;

template <class Vector>
[[gnu::always_inline]] inline void load(const void* from, Vector& vector) {
  std::memcpy(&vector, from, sizeof(vector));
}

// kOutlier times the root of the mean square of x, where values above `largest` count as zeros.
RETORT_MULTIVERSION
float limit_of(const float* x, std::int64_t count, float largest) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < count; ++i) squares += std::fabs(x[i]) > largest ? 0.0f : x[i] * x[i];
  return static_cast<float>(kOutlier) * std::sqrt(squares / static_cast<float>(count));
}

// The places of values above `limit`, at most `room`, and how many; the largest of the others in `rest`.
RETORT_MULTIVERSION
std::int32_t find_outliers(const float* x, std::int64_t count, float limit, std::int64_t room, std::int32_t* places,
                           float& rest) {
  constexpr std::int64_t kBlock = 64;
  std::int32_t found = 0;
  float others = 0;
  for (std::int64_t first = 0; first < count; first += kBlock) {
    const std::int64_t last = std::min(first + kBlock, count);
    const float largest = max_abs(x + first, last - first);
    if (largest <= limit) {
      others = std::max(others, largest);
      continue;
    }
    for (std::int64_t i = first; i < last; ++i) {
      const float size = std::fabs(x[i]);
      if (size > limit && found < room)
        places[found++] = static_cast<std::int32_t>(i);
      else
        others = std::max(others, size);
    }
  }
  rest = others;
  return found;
}

RETORT_MULTIVERSION
float quantize_clamped(const float* x, std::int64_t count, float maximum, std::int8_t* codes) {
  const float inverse = 127.0f / maximum;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    float code = x[i] * inverse;
    code = code > 127.0f ? 127.0f : code;
    code = code < -127.0f ? -127.0f : code;
    codes[i] = static_cast<std::int8_t>(round_to_int(code));
  }
  return maximum / 127.0f;
}

}  // namespace

float quantize_row_but_outliers(const float* x, std::int64_t count, float maximum, std::int8_t* codes,
                                std::int32_t* outliers) {
  outliers[0] = 0;
  const float first = limit_of(x, count, maximum);
  if (!(maximum > first)) return quantize_row(x, count, maximum, codes);
  const float limit = limit_of(x, count, first);
  float rest = 0;
  const std::int32_t found = find_outliers(x, count, limit, outliers_of(count) - 1, outliers + 1, rest);
  constexpr float smallest = 1e-34f;  // as for quantize_row
  if (!(rest > smallest)) return quantize_row(x, count, maximum, codes);
  const float scale = quantize_clamped(x, count, rest, codes);
  outliers[0] = found;
  for (std::int32_t i = 1; i <= found; ++i) codes[outliers[i]] = 0;
  return scale;
}

RETORT_MULTIVERSION
void add_outliers(const Int8Panels& weights, std::int64_t first, std::int64_t last, const float* x, float scale,
                  const std::int32_t* outliers, float* out) {
  const float inverse = 1.0f / scale;
  for (std::int64_t panel = first; panel < last; ++panel) {
    Floats sums[kVectors]{};
    for (std::int32_t n = 1; n <= outliers[0]; ++n) {
      const std::int64_t place = outliers[n];
      const std::int8_t* words =
          weights.codes + (panel * weights.stride_words + place / kWordBytes) * kPanelColumns * kWordBytes;
      const auto shift = static_cast<std::int32_t>(24 - 8 * (place % kWordBytes));  // its byte to the top
      const float factor = x[place] * inverse;
      for (std::int64_t v = 0; v < kVectors; ++v) {
        Codes codes;
        load(words + v * kLanes * kWordBytes, codes);
        sums[v] += factor * __builtin_convertvector((codes << shift) >> 24, Floats);
      }
    }
    const std::int64_t column = panel * kPanelColumns, columns = std::min(kPanelColumns, weights.out - column);
    float products[kPanelColumns];
    std::memcpy(products, sums, sizeof(products));
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) out[column + i] += products[i] * weights.scales[column + i];
  }
}

}  // namespace retort::runtime
