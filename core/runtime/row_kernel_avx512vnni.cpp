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
// int8: a line beside each line, so far ahead.
constexpr int kAheadBytes = 4096;
// Fetching::next_panel: in so many places at once. More than the processor's own prefetching follows, since one line at
// a time reaches only as far as one page.
constexpr int kStreams = 8;
// For rows that find in the cache what others have read.
constexpr Fetching kCached = Fetching::by_hardware;

[[gnu::always_inline]] inline void prefetch(const std::byte* data) {
  _mm_prefetch(reinterpret_cast<const char*>(data), _MM_HINT_T0);
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

// Fetches `lines` of a panel that follows, four at a time, in eight streams: the first line of streams 0 to 3, of 4 to
// 7, the second of 0 to 3, …
template <Fetching How>
class NextPanel {
 public:
  [[gnu::always_inline]] NextPanel(const std::byte* panel, std::int64_t lines)
      : stride_((lines + kStreams - 1) / kStreams * kVectorBytes), now_(panel), later_(panel + kVectors * stride_) {}

  [[gnu::always_inline]] void fetch_four() {
    if constexpr (How == Fetching::next_panel) {
      repeat<kVectors>([&](int v) RETORT_INLINE { prefetch(now_ + v * stride_); });
      const std::byte* const next = now_ + kVectorBytes;
      now_ = later_;
      later_ = next;
    }
  }

 private:
  std::int64_t stride_;  // from stream to stream
  const std::byte* now_;
  const std::byte* later_;
};

// What a thread goes on with after `panel`; itself where that is nothing, since its lines cost no memory to fetch.
[[gnu::always_inline]] inline std::int64_t panel_after(const PanelSpan& span, std::int64_t panel) {
  if (panel + 1 < span.last) return panel + 1;
  return span.next >= 0 ? span.next : panel;
}

[[gnu::always_inline]] inline __m512i broadcast_word(const std::int8_t* codes) {
  using Word = int __attribute__((may_alias, aligned(1)));
  return _mm512_set1_epi32(*reinterpret_cast<const Word*>(codes));
}

[[gnu::always_inline]] inline void store(float* out, std::int64_t columns, __m512 values) {
  if (columns >= 16) return _mm512_storeu_ps(out, values);
  if (columns > 0) _mm512_mask_storeu_ps(out, static_cast<__mmask16>((1u << columns) - 1u), values);
}

// What the sums over the two planes of a row's codes stand for.
[[gnu::always_inline]] inline __m512 join_planes(__m512 high, __m512 low) {
  return _mm512_fmadd_ps(high, _mm512_set1_ps(128.0f), low);
}

[[gnu::always_inline]] inline __m512 scaled(__m512i sum, __m512 scale) {
  return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
}

// R planes, L = 1 or 2 to a row; 4 · R accumulators take at most 16 of the 32 registers.
template <Fetching How, int R, int L>
void int8_tile(const Int8Panels& weights, std::int64_t panel, std::int64_t after, const Int8Rows& in, std::int64_t row,
               float* out) {
  static_assert(R % L == 0 && R <= 4);
  const std::int64_t first = panel * kPanelColumns;
  const auto* all = reinterpret_cast<const std::byte*>(weights.codes);
  const std::byte* data = all + panel * weights.stride_words * kStepBytes;
  NextPanel<How> next(all + after * weights.stride_words * kStepBytes, weights.words * kVectors);
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
    next.fetch_four();
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const std::byte* line = data + v * kVectorBytes;
      if constexpr (How == Fetching::ahead) prefetch(line + kAheadBytes);
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

// As many rows as their planes have registers for. Returns the number.
template <Fetching How, int L>
std::int64_t int8_some_rows(const Int8Panels& weights, std::int64_t panel, std::int64_t after, std::int64_t rows,
                            const Int8Rows& in, std::int64_t row, float* out) {
  const std::int64_t planes = (rows - row) * L;
  if (planes >= 4) return int8_tile<How, 4, L>(weights, panel, after, in, row, out), 4 / L;
  if constexpr (L == 1) {
    if (planes == 3) return int8_tile<How, 3, L>(weights, panel, after, in, row, out), 3;
    if (planes == 1) return int8_tile<How, 1, L>(weights, panel, after, in, row, out), 1;
  }
  return int8_tile<How, 2, L>(weights, panel, after, in, row, out), 2 / L;
}

template <Fetching How, int L>
void int8_panels(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in, float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    const std::int64_t after = panel_after(span, panel);
    std::int64_t row = 0;
    // The first rows read the panel from memory, and fetch; the others find it in the cache.
    if (row < rows) row += int8_some_rows<How, L>(weights, panel, after, rows, in, row, out);
    while (row < rows) row += int8_some_rows<kCached, L>(weights, panel, panel, rows, in, row, out);
  }
}

template <Fetching How>
void int8_rows(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in, float* out) {
  if (in.wide) return int8_panels<How, 2>(weights, span, rows, in, out);
  int8_panels<How, 1>(weights, span, rows, in, out);
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
template <ScaleType Type, int GroupSize, Fetching How, int R>
void int4_tile(const Int4Panels& weights, std::int64_t panel, std::int64_t after, const Int4Rows& in, std::int64_t row,
               float* out) {
  constexpr int kScaleLines = Type == ScaleType::f32 ? 4 : 2, kWordLines = GroupSize / 8 * kVectors;
  constexpr int kGroupLines = kScaleLines + kWordLines, kGroupsAhead = GroupSize == 32 ? 2 : 1;
  const std::int64_t row_stride = weights.groups * GroupSize;
  const std::byte* data = weights.data + panel * weights.panel_bytes();
  // As many lines as there are words in a panel, beside the words; what is left, beside the scales.
  NextPanel<How> next(weights.data + after * weights.panel_bytes(), weights.groups * kWordLines);
  const std::byte* rest = weights.data + after * weights.panel_bytes() + weights.groups * kWordLines * kVectorBytes;
  const std::int8_t* x = in.codes + 2 * row * row_stride;
  const std::int32_t* row_sums = in.sums + 2 * row * weights.groups;
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512 totals[kVectors][R / 2];
  repeat<kVectors>(
      [&](int v) RETORT_INLINE { repeat<R / 2>([&](int r) RETORT_INLINE { totals[v][r] = _mm512_setzero_ps(); }); });
  for (std::int64_t group = 0; group < weights.groups; ++group) {
    const std::byte* scales = data;
    if constexpr (How == Fetching::ahead) {
      // A whole group ahead in one go: there is so much to do for a line that one prefetch beside each would leave the
      // memory waiting.
      const std::byte* ahead = data + kGroupsAhead * kGroupLines * kVectorBytes;
      for (int line = 0; line < kGroupLines; ++line) prefetch(ahead + line * kVectorBytes);
    }
    if constexpr (How == Fetching::next_panel) {
      for (int line = 0; line < kScaleLines; ++line) prefetch(rest + line * kVectorBytes);
      rest += kScaleLines * kVectorBytes;
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
      next.fetch_four();
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

template <ScaleType Type, int GroupSize, Fetching How>
std::int64_t int4_some_rows(const Int4Panels& weights, std::int64_t panel, std::int64_t after, std::int64_t rows,
                            const Int4Rows& in, std::int64_t row, float* out) {
  if (rows - row > 1) return int4_tile<Type, GroupSize, How, 4>(weights, panel, after, in, row, out), 2;
  return int4_tile<Type, GroupSize, How, 2>(weights, panel, after, in, row, out), 1;
}

template <ScaleType Type, int GroupSize, Fetching How>
void int4_panels(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in, float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    const std::int64_t after = panel_after(span, panel);
    std::int64_t row = 0;
    if (row < rows) row += int4_some_rows<Type, GroupSize, How>(weights, panel, after, rows, in, row, out);
    while (row < rows) row += int4_some_rows<Type, GroupSize, kCached>(weights, panel, panel, rows, in, row, out);
  }
}

template <ScaleType Type, Fetching How>
void int4_groups(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in, float* out) {
  if (weights.group_size == 32) return int4_panels<Type, 32, How>(weights, span, rows, in, out);
  if (weights.group_size == 64) return int4_panels<Type, 64, How>(weights, span, rows, in, out);
  return int4_panels<Type, 128, How>(weights, span, rows, in, out);
}

template <Fetching How>
void int4_rows(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in, float* out) {
  switch (weights.scale_type) {
    case ScaleType::f32:
      return int4_groups<ScaleType::f32, How>(weights, span, rows, in, out);
    case ScaleType::f16:
      return int4_groups<ScaleType::f16, How>(weights, span, rows, in, out);
    case ScaleType::bf16:
      return int4_groups<ScaleType::bf16, How>(weights, span, rows, in, out);
  }
}

}  // namespace

void int8_rows_avx512vnni(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                          float* out) {
  int8_rows<Fetching::by_hardware>(weights, span, rows, in, out);
}

void int4_rows_avx512vnni(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                          float* out) {
  int4_rows<Fetching::by_hardware>(weights, span, rows, in, out);
}

void int8_rows_avx512vnni_ahead(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                                float* out) {
  int8_rows<Fetching::ahead>(weights, span, rows, in, out);
}

void int4_rows_avx512vnni_ahead(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                                float* out) {
  int4_rows<Fetching::ahead>(weights, span, rows, in, out);
}

void int8_rows_avx512vnni_next(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                               float* out) {
  int8_rows<Fetching::next_panel>(weights, span, rows, in, out);
}

void int4_rows_avx512vnni_next(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                               float* out) {
  int4_rows<Fetching::next_panel>(weights, span, rows, in, out);
}

}  // namespace retort::runtime
