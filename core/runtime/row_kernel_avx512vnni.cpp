// Row kernels of row_kernel.h for AVX-512 with VNNI. A thread walks one panel after the other: one stream from memory,
// fetched ahead, is faster than two beside each other. Compiled with these instructions, so no inline code of other
// headers may enter.
#include <immintrin.h>

#include "runtime/row_kernel.h"

#define RETORT_INLINE __attribute__((always_inline))

namespace retort::runtime {
namespace {

constexpr int kVectors = 4;  // of 16 columns: one panel
constexpr int kVectorBytes = 64;
constexpr int kStepBytes = kVectors * kVectorBytes;
// Who fetches weights ahead: the processor, or these kernels.
enum class Fetch { by_hardware, ahead };
// int8: a line beside each line, so far ahead.
constexpr int kAheadBytes = 4096;

[[gnu::always_inline]] inline void prefetch(const std::byte* data) {
  _mm_prefetch(reinterpret_cast<const char*>(data), _MM_HINT_T0);
}

[[gnu::always_inline]] inline __m512i broadcast_word(const std::int8_t* codes) {
  using Word = int __attribute__((may_alias, aligned(1)));
  return _mm512_set1_epi32(*reinterpret_cast<const Word*>(codes));
}

[[gnu::always_inline]] inline void store(float* out, std::int64_t columns, __m512 values) {
  if (columns >= 16) return _mm512_storeu_ps(out, values);
  if (columns > 0) _mm512_mask_storeu_ps(out, static_cast<__mmask16>((1u << columns) - 1u), values);
}

// f(0), …, f(N − 1) as straight code. A loop, even one with an unroll pragma, is unrolled after the pass that could
// have kept arrays of accumulators in registers.
template <int N, class Function>
[[gnu::always_inline]] inline void repeat(Function f) {
  if constexpr (N > 0) {
    repeat<N - 1>(f);
    f(N - 1);
  }
}

// What the sums over the two planes of a row's codes stand for.
[[gnu::always_inline]] inline __m512 join_planes(__m512 high, __m512 low) {
  return _mm512_fmadd_ps(high, _mm512_set1_ps(128.0f), low);
}

[[gnu::always_inline]] inline __m512 scaled(__m512i sum, __m512 scale) {
  return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
}

// R planes, L = 1 or 2 to a row; 4 · R accumulators take at most 16 of the 32 registers.
template <Fetch How, int R, int L>
void int8_tile(const Int8Panels& weights, std::int64_t panel, const Int8Rows& in, std::int64_t row, float* out) {
  static_assert(R % L == 0 && R <= 4);
  const std::int64_t first = panel * kPanelColumns;
  const auto* data = reinterpret_cast<const std::byte*>(weights.codes) + panel * weights.stride_words * kStepBytes;
  __m512i sums[kVectors][R];
  repeat<kVectors>([&](int v) RETORT_INLINE {
    // Codes are multiplied as code + 128, unsigned: take 128 times the column's sum off again.
    const __m512i column = _mm512_slli_epi32(_mm512_loadu_si512(weights.sums + first + v * 16), 7);
    repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = _mm512_sub_epi32(_mm512_setzero_si512(), column); });
  });
  const std::int8_t* codes = in.codes + row * L * in.stride;
  for (std::int64_t k = 0; k < weights.words; ++k, data += kStepBytes, codes += 4) {
    __m512i x[R];
    repeat<R>([&](int r) RETORT_INLINE {
      x[r] = _mm512_xor_si512(broadcast_word(codes + r * in.stride), _mm512_set1_epi8(-128));
    });
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const std::byte* line = data + v * kVectorBytes;
      if constexpr (How == Fetch::ahead) prefetch(line + kAheadBytes);
      const __m512i w = _mm512_load_si512(line);
      repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = _mm512_dpbusd_epi32(sums[v][r], x[r], w); });
    });
  }
  repeat<kVectors>([&](int v) RETORT_INLINE {
    const std::int64_t column = first + v * 16;
    const __m512 scales = _mm512_loadu_ps(weights.scales + column);
    repeat<R / L>([&](int r) RETORT_INLINE {
      const __m512 high = scaled(sums[v][r * L], scales), low = scaled(sums[v][r * L + L - 1], scales);
      store(out + (row + r) * weights.out + column, weights.out - column, L == 2 ? join_planes(high, low) : high);
    });
  });
}

template <Fetch How, int R, int L>
void int8_panels(const Int8Panels& weights, std::int64_t first, std::int64_t last, const Int8Rows& in, std::int64_t row,
                 float* out) {
  for (std::int64_t panel = first; panel < last; ++panel) int8_tile<How, R, L>(weights, panel, in, row, out);
}

// Tiles of up to four planes.
template <Fetch How>
void int8_narrow_rows(const Int8Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                      const Int8Rows& in, float* out) {
  std::int64_t row = 0;
  for (; rows - row >= 4; row += 4) int8_panels<How, 4, 1>(weights, first, last, in, row, out);
  if (rows - row == 3) int8_panels<How, 3, 1>(weights, first, last, in, row, out);
  if (rows - row == 2) int8_panels<How, 2, 1>(weights, first, last, in, row, out);
  if (rows - row == 1) int8_panels<How, 1, 1>(weights, first, last, in, row, out);
}

template <Fetch How>
void int8_wide_rows(const Int8Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                    const Int8Rows& in, float* out) {
  std::int64_t row = 0;
  for (; rows - row >= 2; row += 2) int8_panels<How, 4, 2>(weights, first, last, in, row, out);
  if (row < rows) int8_panels<How, 2, 2>(weights, first, last, in, row, out);
}

template <Fetch How>
void int8_rows(const Int8Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows, const Int8Rows& in,
               float* out) {
  if (in.wide) return int8_wide_rows<How>(weights, first, last, rows, in, out);
  int8_narrow_rows<How>(weights, first, last, rows, in, out);
}

template <ScaleType Type>
[[gnu::always_inline]] inline __m512 load_scales(const std::byte* scales, int c) {
  if constexpr (Type == ScaleType::f32) {
    return _mm512_loadu_ps(scales + c * 64);
  } else {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + c * 32));
    if constexpr (Type == ScaleType::f16) return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
}

// R is the number of planes, two to a row.
template <ScaleType Type, int GroupSize, Fetch How, int R>
void int4_tile(const Int4Panels& weights, std::int64_t panel, const Int4Rows& in, std::int64_t row, float* out) {
  constexpr int kScaleLines = Type == ScaleType::f32 ? 4 : 2;
  constexpr int kGroupLines = kScaleLines + GroupSize / 8 * kVectors, kGroupsAhead = GroupSize == 32 ? 2 : 1;
  const std::int64_t row_stride = weights.groups * GroupSize;
  const std::byte* data = weights.data + panel * weights.panel_bytes();
  const std::int8_t* x = in.codes + 2 * row * row_stride;
  const std::int32_t* row_sums = in.sums + 2 * row * weights.groups;
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512 totals[kVectors][R / 2];
  repeat<kVectors>(
      [&](int v) RETORT_INLINE { repeat<R / 2>([&](int r) RETORT_INLINE { totals[v][r] = _mm512_setzero_ps(); }); });
  for (std::int64_t group = 0; group < weights.groups; ++group) {
    const std::byte* scales = data;
    if constexpr (How == Fetch::ahead) {
      // A whole group ahead in one go: there is so much to do for a line that one prefetch beside each would leave the
      // memory waiting.
      const std::byte* ahead = data + kGroupsAhead * kGroupLines * kVectorBytes;
      for (int line = 0; line < kGroupLines; ++line) prefetch(ahead + line * kVectorBytes);
    }
    data += kScaleLines * kVectorBytes;
    __m512i sums[kVectors][R];
    repeat<R>([&](int r) RETORT_INLINE {
      // Codes are 8 too large: take 8 times the sum of the plane's codes off.
      const __m512i start = _mm512_set1_epi32(-8 * row_sums[r * weights.groups + group]);
      repeat<kVectors>([&](int v) RETORT_INLINE { sums[v][r] = start; });
    });
#pragma GCC unroll 8
    for (int step = 0; step < GroupSize / 8; ++step, data += kStepBytes, x += 8) {
      __m512i low[R], high[R];
      repeat<R>([&](int r) RETORT_INLINE {
        low[r] = broadcast_word(x + r * row_stride);
        high[r] = broadcast_word(x + r * row_stride + 4);
      });
      repeat<kVectors>([&](int v) RETORT_INLINE {
        const __m512i word = _mm512_load_si512(data + v * kVectorBytes);
        const __m512i even = _mm512_and_si512(word, nibble);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi16(word, 4), nibble);
        repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = _mm512_dpbusd_epi32(sums[v][r], even, low[r]); });
        repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = _mm512_dpbusd_epi32(sums[v][r], odd, high[r]); });
      });
    }
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m512 scale = load_scales<Type>(scales, v);
      repeat<R / 2>([&](int r) RETORT_INLINE {
        const __m512 high = _mm512_cvtepi32_ps(sums[v][2 * r]), low = _mm512_cvtepi32_ps(sums[v][2 * r + 1]);
        totals[v][r] = _mm512_fmadd_ps(join_planes(high, low), scale, totals[v][r]);
      });
    });
  }
  repeat<kVectors>([&](int v) RETORT_INLINE {
    const std::int64_t column = panel * kPanelColumns + v * 16;
    repeat<R / 2>([&](int r) RETORT_INLINE {
      store(out + (row + r) * weights.out + column, weights.out - column, totals[v][r]);
    });
  });
}

template <ScaleType Type, int GroupSize, Fetch How>
void int4_panels(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                 const Int4Rows& in, float* out) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    std::int64_t row = 0;
    for (; rows - row >= 2; row += 2) int4_tile<Type, GroupSize, How, 4>(weights, panel, in, row, out);
    if (row < rows) int4_tile<Type, GroupSize, How, 2>(weights, panel, in, row, out);
  }
}

template <ScaleType Type, Fetch How>
void int4_groups(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                 const Int4Rows& in, float* out) {
  if (weights.group_size == 32) return int4_panels<Type, 32, How>(weights, first, last, rows, in, out);
  if (weights.group_size == 64) return int4_panels<Type, 64, How>(weights, first, last, rows, in, out);
  return int4_panels<Type, 128, How>(weights, first, last, rows, in, out);
}

template <Fetch How>
void int4_rows(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows, const Int4Rows& in,
               float* out) {
  switch (weights.scale_type) {
    case ScaleType::f32:
      return int4_groups<ScaleType::f32, How>(weights, first, last, rows, in, out);
    case ScaleType::f16:
      return int4_groups<ScaleType::f16, How>(weights, first, last, rows, in, out);
    case ScaleType::bf16:
      return int4_groups<ScaleType::bf16, How>(weights, first, last, rows, in, out);
  }
}

}  // namespace

void int8_rows_avx512vnni(const Int8Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                          const Int8Rows& in, float* out) {
  int8_rows<Fetch::by_hardware>(weights, first, last, rows, in, out);
}

void int4_rows_avx512vnni(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                          const Int4Rows& in, float* out) {
  int4_rows<Fetch::by_hardware>(weights, first, last, rows, in, out);
}

void int8_rows_avx512vnni_ahead(const Int8Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                                const Int8Rows& in, float* out) {
  int8_rows<Fetch::ahead>(weights, first, last, rows, in, out);
}

void int4_rows_avx512vnni_ahead(const Int4Panels& weights, std::int64_t first, std::int64_t last, std::int64_t rows,
                                const Int4Rows& in, float* out) {
  int4_rows<Fetch::ahead>(weights, first, last, rows, in, out);
}

}  // namespace retort::runtime
