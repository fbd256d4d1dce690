// Row kernels of row_kernel.h for AVX2 without VNNI: pairs of products in 16 bits, which cannot overflow here. A panel
// is eight registers wide and is walked in halves. Compiled with these instructions, so no inline code of other headers
// may enter.
#include <immintrin.h>

#include "runtime/row_kernel.h"

#define RETORT_INLINE __attribute__((always_inline))

namespace retort::runtime {
namespace {

constexpr int kVectors = 4;  // of 8 columns: half a panel
constexpr int kVectorBytes = 32;
constexpr int kHalfBytes = kVectors * kVectorBytes;
constexpr int kStepBytes = 2 * kHalfBytes;

// f(0), …, f(N − 1) as straight code, so that arrays of accumulators stay in registers.
template <int N, class Function>
RETORT_INLINE inline void repeat(Function f) {
  if constexpr (N > 0) {
    repeat<N - 1>(f);
    f(N - 1);
  }
}

RETORT_INLINE inline __m256i load(const std::byte* data) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
}

RETORT_INLINE inline __m256i broadcast_word(const std::int8_t* codes) {
  using Word = int __attribute__((may_alias, aligned(1)));
  return _mm256_set1_epi32(*reinterpret_cast<const Word*>(codes));
}

RETORT_INLINE inline void store(float* out, std::int64_t columns, __m256 values) {
  if (columns >= 8) return _mm256_storeu_ps(out, values);
  float all[8];
  _mm256_storeu_ps(all, values);
  for (std::int64_t i = 0; i < columns; ++i) out[i] = all[i];
}

// Adds pairs of 16-bit sums to 32-bit ones.
RETORT_INLINE inline __m256i widen(__m256i sums, __m256i pairs) {
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// What the sums over the two planes of a row's codes stand for.
RETORT_INLINE inline __m256 join_planes(__m256 high, __m256 low) {
  return _mm256_fmadd_ps(high, _mm256_set1_ps(128.0f), low);
}

RETORT_INLINE inline __m256 scaled(__m256i sum, __m256 scale) {
  return _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale);
}

// R planes, L = 1 or 2 to a row.
template <int R, int L>
void int8_tile(const Int8Panels& weights, std::int64_t panel, int half, const Int8Rows& in, std::int64_t row,
               float* out) {
  const std::int64_t first = panel * kPanelColumns + half * kVectors * 8;
  const auto* data =
      reinterpret_cast<const std::byte*>(weights.codes) + panel * weights.stride_words * kStepBytes + half * kHalfBytes;
  const std::int8_t* codes = in.codes + row * L * in.stride;
  __m256i sums[kVectors][R];
  repeat<kVectors>([&](int v)
                       RETORT_INLINE { repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = _mm256_setzero_si256(); }); });
  for (std::int64_t k = 0; k < weights.words; ++k, data += kStepBytes, codes += 4) {
    __m256i x[R];
    repeat<R>([&](int r) RETORT_INLINE { x[r] = broadcast_word(codes + r * in.stride); });
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m256i w = load(data + v * kVectorBytes);
      // |w| · (x with w's sign): the unsigned factor is at most 128 and |x| at most 127, so a pair fits in 16 bits.
      const __m256i size = _mm256_abs_epi8(w);
      repeat<R>([&](int r) RETORT_INLINE {
        sums[v][r] = widen(sums[v][r], _mm256_maddubs_epi16(size, _mm256_sign_epi8(x[r], w)));
      });
    });
  }
  repeat<kVectors>([&](int v) RETORT_INLINE {
    const std::int64_t column = first + v * 8;
    const __m256 scales = _mm256_loadu_ps(weights.scales + column);
    repeat<R / L>([&](int r) RETORT_INLINE {
      const __m256 high = scaled(sums[v][r * L], scales), low = scaled(sums[v][r * L + L - 1], scales);
      store(out + (row + r) * weights.out + column, weights.out - column, L == 2 ? join_planes(high, low) : high);
    });
  });
}

template <ScaleType Type>
RETORT_INLINE inline __m256 load_scales(const std::byte* scales, int v) {
  if constexpr (Type == ScaleType::f32) {
    return _mm256_castsi256_ps(load(scales + v * 32));
  } else {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + v * 16));
    if constexpr (Type == ScaleType::f16) return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
}

// The two planes of one row.
template <ScaleType Type>
void int4_tile(const Int4Panels& weights, std::int64_t panel, int half, const Int4Rows& in, std::int64_t row,
               float* out) {
  constexpr int R = 2;
  const std::int64_t row_stride = weights.groups * weights.group_size;
  const std::byte* data = weights.data + panel * weights.panel_bytes();
  const std::int8_t* x = in.codes + R * row * row_stride;
  const std::int32_t* row_sums = in.sums + R * row * weights.groups;
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256 totals[kVectors];
  repeat<kVectors>([&](int v) RETORT_INLINE { totals[v] = _mm256_setzero_ps(); });
  for (std::int64_t group = 0; group < weights.groups; ++group) {
    const std::byte* scales = data;
    data += weights.scale_bytes();
    __m256i sums[kVectors][R];
    repeat<R>([&](int r) RETORT_INLINE {
      // Codes are 8 too large: take 8 times the sum of the plane's codes off.
      const __m256i start = _mm256_set1_epi32(-8 * row_sums[r * weights.groups + group]);
      repeat<kVectors>([&](int v) RETORT_INLINE { sums[v][r] = start; });
    });
    for (std::int64_t step = 0; step < weights.group_size; step += 8, data += kStepBytes, x += 8) {
      repeat<kVectors>([&](int v) RETORT_INLINE {
        const __m256i word = load(data + half * kHalfBytes + v * kVectorBytes);
        const __m256i even = _mm256_and_si256(word, nibble);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi16(word, 4), nibble);
        repeat<R>([&](int r) RETORT_INLINE {
          // Two pairs of products of at most 15 · 128 in 16 bits.
          const __m256i low = _mm256_maddubs_epi16(even, broadcast_word(x + r * row_stride));
          const __m256i high = _mm256_maddubs_epi16(odd, broadcast_word(x + r * row_stride + 4));
          sums[v][r] = widen(sums[v][r], _mm256_add_epi16(low, high));
        });
      });
    }
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m256 scale = load_scales<Type>(scales, half * kVectors + v);
      const __m256 high = _mm256_cvtepi32_ps(sums[v][0]), low = _mm256_cvtepi32_ps(sums[v][1]);
      totals[v] = _mm256_fmadd_ps(join_planes(high, low), scale, totals[v]);
    });
  }
  repeat<kVectors>([&](int v) RETORT_INLINE {
    const std::int64_t column = panel * kPanelColumns + (half * kVectors + v) * 8;
    store(out + row * weights.out + column, weights.out - column, totals[v]);
  });
}

template <ScaleType Type>
void int4_panels(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                 const Int4Rows& in, float* out) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    for (const int half : {0, 1})
      for (std::int64_t row = 0; row < rows; ++row) int4_tile<Type>(weights, panel, half, in, row, out);
  }
}

}  // namespace

void int8_rows_avx2(const Int8Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                    const Int8Rows& in, float* out) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    for (const int half : {0, 1}) {
      std::int64_t row = 0;
      if (in.wide) {
        for (; row < rows; ++row) int8_tile<2, 2>(weights, panel, half, in, row, out);
        continue;
      }
      for (; rows - row >= 2; row += 2) int8_tile<2, 1>(weights, panel, half, in, row, out);
      if (row < rows) int8_tile<1, 1>(weights, panel, half, in, row, out);
    }
  }
}

void int4_rows_avx2(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                    const Int4Rows& in, float* out) {
  switch (weights.scale_type) {
    case ScaleType::f32:
      return int4_panels<ScaleType::f32>(weights, first, last, rows, in, out);
    case ScaleType::f16:
      return int4_panels<ScaleType::f16>(weights, first, last, rows, in, out);
    case ScaleType::bf16:
      return int4_panels<ScaleType::bf16>(weights, first, last, rows, in, out);
  }
}

}  // namespace retort::runtime
