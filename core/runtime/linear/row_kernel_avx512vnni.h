// What the row kernels for AVX-512 with VNNI share: row_kernel_avx512vnni.cpp, and row_kernel_avx512gfni.cpp, whose
// int4 needs GFNI too. A thread walks one panel after the other: one stream from memory is faster than two beside each
// other. For these files alone: it is compiled with their instructions, so no other inline code may enter.
#pragma once

#include <immintrin.h>

#include "runtime/linear/row_kernel.h"
#include "runtime/linear/row_kernel_inline.h"

namespace retort::runtime::avx512 {

inline constexpr int kVectors = 4;  // of 16 columns: one panel
inline constexpr int kVectorBytes = 64;
inline constexpr int kStepBytes = kVectors * kVectorBytes;
// Fetching::next_panel: in so many places at once. More than the processor's own prefetching follows, since one line at
// a time reaches only as far as one page.
inline constexpr int kStreams = 8;
// Places closer together than this are one page or two; so short panels are fetched several at once, up to so much.
// That takes a few to begin with, which nobody has fetched, so only where a thread has some times as many.
inline constexpr std::int64_t kTogetherBytes = 64 << 10, kTimesTogether = 8;
// For rows that find in the cache what others have read.
inline constexpr Fetching kCached = Fetching::by_hardware;

RETORT_INLINE inline void prefetch(const std::byte* data) {
  _mm_prefetch(reinterpret_cast<const char*>(data), _MM_HINT_T0);
}

// Fetches lines that stand in a row, from the one of a number on, four at a time, in eight streams: the first line of
// streams 0 to 3, of 4 to 7, the second of 0 to 3, …
class Streams {
 public:
  Streams() = default;
  RETORT_INLINE Streams(const std::byte* data, std::int64_t lines, std::int64_t from)
      : stride_((lines + kStreams - 1) / kStreams * kVectorBytes),
        now_(data + from / kStreams * kVectorBytes),
        later_(now_ + kVectors * stride_) {}

  RETORT_INLINE void fetch_four() {
    repeat<kVectors>([&](int v) RETORT_INLINE { prefetch(now_ + v * stride_); });
    const std::byte* const next = now_ + kVectorBytes;
    now_ = later_;
    later_ = next;
  }

 private:
  std::int64_t stride_ = 0;  // from stream to stream
  const std::byte* now_ = nullptr;
  const std::byte* later_ = nullptr;
};

// Fetches what a thread goes on with after `panel`, while that is multiplied; nothing unless How is next_panel.
template <Fetching How>
class Following {
 public:
  RETORT_INLINE Following(const std::byte* /*data*/, std::int64_t /*panel_bytes*/, const PanelSpan& /*span*/,
                          std::int64_t /*panel*/) {}
  RETORT_INLINE void fetch_four() {}
};

template <>
class Following<Fetching::next_panel> {
 public:
  RETORT_INLINE Following(const std::byte* data, std::int64_t panel_bytes, const PanelSpan& span, std::int64_t panel) {
    const std::int64_t begin = span.end > 0 ? span.begin : span.first, end = span.end > 0 ? span.end : span.last;
    const std::int64_t lines = panel_bytes / kVectorBytes, position = panel - begin;
    // The panel itself where it is the last: its lines cost no memory to fetch.
    one_ = Streams(data + (panel + (panel + 1 < end ? 1 : 0)) * panel_bytes, lines, 0);
    some_ = one_;
    const int shift = together(panel_bytes, end - begin);
    if (shift == 0) return;
    const std::int64_t all = std::int64_t{1} << shift, first = begin + (((position >> shift) + 1) << shift);
    const std::int64_t count = end - first < all ? end - first : all;
    if (count <= 0) return;  // the last ones, all of them fetched
    some_ = Streams(data + first * panel_bytes, count * lines, ((position & (all - 1)) * count * lines) >> shift);
    both_ = position < all;
  }

  RETORT_INLINE void fetch_four() {
    some_.fetch_four();
    if (both_) one_.fetch_four();
  }

 private:
  // How many panels are fetched together: the logarithm, of base 2.
  RETORT_INLINE static int together(std::int64_t panel_bytes, std::int64_t panels) {
    int shift = 0;
    while (panel_bytes << (shift + 1) <= kTogetherBytes && panels >> (shift + 1) >= kTimesTogether) ++shift;
    return shift;
  }

  Streams some_;  // an equal share of those that are fetched together next
  Streams one_;   // the panel that follows: of the first ones, which nobody has fetched
  bool both_ = false;
};

RETORT_INLINE inline __m512i broadcast_word(const std::int8_t* codes) {
  using Word = int __attribute__((may_alias, aligned(1)));
  return _mm512_set1_epi32(*reinterpret_cast<const Word*>(codes));
}

// sum += Σ x · w of four codes each; x is unsigned. The empty statement keeps a sum in its register: without it GCC 14
// copies all of them to others and back for every word of a panel, half of the instructions of int8's loop.
RETORT_INLINE inline void add_products(__m512i& sum, __m512i x, __m512i w) {
  sum = _mm512_dpbusd_epi32(sum, x, w);
  asm("" : "+v"(sum));
}

RETORT_INLINE inline void store(float* out, std::int64_t columns, __m512 values) {
  if (columns >= 16) return _mm512_storeu_ps(out, values);
  if (columns > 0) _mm512_mask_storeu_ps(out, static_cast<__mmask16>((1u << columns) - 1u), values);
}

// What the sums over the two planes of a row's codes stand for.
RETORT_INLINE inline __m512 join_planes(__m512 high, __m512 low) {
  return _mm512_fmadd_ps(high, _mm512_set1_ps(128.0f), low);
}

template <ScaleType Type>
RETORT_INLINE inline __m512 load_scales(const std::byte* scales, int c) {
  if constexpr (Type == ScaleType::f32) {
    return _mm512_loadu_ps(scales + c * 64);
  } else {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + c * 32));
    if constexpr (Type == ScaleType::f16) return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
}

// R is the number of planes, two to a row.
template <class Nibbles, ScaleType Type, int GroupSize, Fetching How, int R>
void int4_tile(const Int4Panels& weights, const PanelSpan& span, std::int64_t panel, const Int4Rows& in,
               std::int64_t row, float* out) {
  constexpr int kScaleLines = Type == ScaleType::f32 ? 4 : 2, kWordLines = GroupSize / 8 * kVectors;
  constexpr int kGroupLines = kScaleLines + kWordLines, kGroupsAhead = GroupSize == 32 ? 2 : 1;
  const std::int64_t row_stride = weights.groups * GroupSize;
  const std::byte* data = weights.data + panel * weights.panel_bytes();
  Following<How> following(weights.data, weights.panel_bytes(), span, panel);
  const std::int8_t* x = in.codes + 2 * row * row_stride;
  const std::int32_t* row_sums = in.sums + 2 * row * weights.groups;
  __m512 totals[kVectors][R / 2];
  repeat<kVectors>(
      [&](int v) RETORT_INLINE { repeat<R / 2>([&](int r) RETORT_INLINE { totals[v][r] = _mm512_setzero_ps(); }); });
  for (std::int64_t group = 0; group < weights.groups; ++group) {
    if constexpr (How == Fetching::ahead) {
      // A whole group ahead in one go: there is so much to do for a line that one prefetch beside each would leave the
      // memory waiting.
      const std::byte* ahead = data + kGroupsAhead * kGroupLines * kVectorBytes;
      for (int line = 0; line < kGroupLines; ++line) prefetch(ahead + line * kVectorBytes);
    }
    if (kScaleLines == kVectors || group % 2 == 0) following.fetch_four();  // as many lines as there are of scales
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
      following.fetch_four();
      repeat<kVectors>([&](int v) RETORT_INLINE {
        const __m512i word = _mm512_load_si512(data + v * kVectorBytes);
        const __m512i even = _mm512_and_si512(word, _mm512_set1_epi8(15));
        const __m512i odd = Nibbles::high(word);
        repeat<R>([&](int r) RETORT_INLINE { add_products(sums[v][r], even, low[r]); });
        repeat<R>([&](int r) RETORT_INLINE { add_products(sums[v][r], odd, high[r]); });
      });
    }
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m512 scale = load_scales<Type>(data, v);
      repeat<R / 2>([&](int r) RETORT_INLINE {
        const __m512 high = _mm512_cvtepi32_ps(sums[v][2 * r]), low = _mm512_cvtepi32_ps(sums[v][2 * r + 1]);
        totals[v][r] = _mm512_fmadd_ps(join_planes(high, low), scale, totals[v][r]);
      });
    });
    data += kScaleLines * kVectorBytes;
  }
  repeat<kVectors>([&](int v) RETORT_INLINE {
    const std::int64_t column = panel * kPanelColumns + v * 16;
    repeat<R / 2>([&](int r) RETORT_INLINE {
      store(out + (row + r) * weights.out + column, weights.out - column, totals[v][r]);
    });
  });
}

template <class Nibbles, ScaleType Type, int GroupSize, Fetching How>
std::int64_t int4_some_rows(const Int4Panels& weights, const PanelSpan& span, std::int64_t panel, std::int64_t rows,
                            const Int4Rows& in, std::int64_t row, float* out) {
  if (rows - row > 1) return int4_tile<Nibbles, Type, GroupSize, How, 4>(weights, span, panel, in, row, out), 2;
  return int4_tile<Nibbles, Type, GroupSize, How, 2>(weights, span, panel, in, row, out), 1;
}

template <class Nibbles, ScaleType Type, int GroupSize, Fetching How>
void int4_panels(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in, float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    std::int64_t row = 0;
    if (row < rows) row += int4_some_rows<Nibbles, Type, GroupSize, How>(weights, span, panel, rows, in, row, out);
    while (row < rows)
      row += int4_some_rows<Nibbles, Type, GroupSize, kCached>(weights, span, panel, rows, in, row, out);
  }
}

template <class Nibbles, ScaleType Type, Fetching How>
void int4_groups(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in, float* out) {
  if (weights.group_size == 32) return int4_panels<Nibbles, Type, 32, How>(weights, span, rows, in, out);
  if (weights.group_size == 64) return int4_panels<Nibbles, Type, 64, How>(weights, span, rows, in, out);
  return int4_panels<Nibbles, Type, 128, How>(weights, span, rows, in, out);
}

template <class Nibbles, Fetching How>
void int4_rows(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in, float* out) {
  switch (weights.scale_type) {
    case ScaleType::f32:
      return int4_groups<Nibbles, ScaleType::f32, How>(weights, span, rows, in, out);
    case ScaleType::f16:
      return int4_groups<Nibbles, ScaleType::f16, How>(weights, span, rows, in, out);
    case ScaleType::bf16:
      return int4_groups<Nibbles, ScaleType::bf16, How>(weights, span, rows, in, out);
  }
}

}  // namespace retort::runtime::avx512
