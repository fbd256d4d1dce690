// Row kernels of row_kernel.h for AVX-512 with VNNI.
#include "runtime/row_kernel_avx512vnni.h"

namespace retort::runtime {
namespace {

using namespace avx512;

// int8: a line beside each line, so far ahead.
constexpr int kAheadBytes = 4096;

// The second of the codes in every byte.
struct ShiftedNibbles {
  RETORT_INLINE static __m512i high(__m512i word) {
    return _mm512_and_si512(_mm512_srli_epi16(word, 4), _mm512_set1_epi8(15));
  }
};

RETORT_INLINE inline __m512 scaled(__m512i sum, __m512 scale) {
  return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
}

// R planes, L = 1 or 2 to a row; 4 · R accumulators take at most 16 of the 32 registers.
template <Fetching How, int R, int L>
void int8_tile(const Int8Panels& weights, const PanelSpan& span, std::int64_t panel, const Int8Rows& in,
               std::int64_t row, float* out) {
  static_assert(R % L == 0 && R <= 4);
  const std::int64_t first = panel * kPanelColumns;
  const auto* all = reinterpret_cast<const std::byte*>(weights.codes);
  const std::byte* data = all + panel * weights.stride_words * kStepBytes;
  Following<How> following(all, weights.stride_words * kStepBytes, span, panel);
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
    following.fetch_four();
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
std::int64_t int8_some_rows(const Int8Panels& weights, const PanelSpan& span, std::int64_t panel, std::int64_t rows,
                            const Int8Rows& in, std::int64_t row, float* out) {
  const std::int64_t planes = (rows - row) * L;
  if (planes >= 4) return int8_tile<How, 4, L>(weights, span, panel, in, row, out), 4 / L;
  if constexpr (L == 1) {
    if (planes == 3) return int8_tile<How, 3, L>(weights, span, panel, in, row, out), 3;
    if (planes == 1) return int8_tile<How, 1, L>(weights, span, panel, in, row, out), 1;
  }
  return int8_tile<How, 2, L>(weights, span, panel, in, row, out), 2 / L;
}

template <Fetching How, int L>
void int8_panels(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in, float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    std::int64_t row = 0;
    // The first rows read the panel from memory, and fetch; the others find it in the cache.
    if (row < rows) row += int8_some_rows<How, L>(weights, span, panel, rows, in, row, out);
    while (row < rows) row += int8_some_rows<kCached, L>(weights, span, panel, rows, in, row, out);
  }
}

template <Fetching How>
void int8_rows(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in, float* out) {
  if (in.wide) return int8_panels<How, 2>(weights, span, rows, in, out);
  int8_panels<How, 1>(weights, span, rows, in, out);
}

}  // namespace

void int8_rows_avx512vnni(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                          float* out) {
  int8_rows<Fetching::by_hardware>(weights, span, rows, in, out);
}

void int4_rows_avx512vnni(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                          float* out) {
  int4_rows<ShiftedNibbles, Fetching::by_hardware>(weights, span, rows, in, out);
}

void int8_rows_avx512vnni_ahead(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                                float* out) {
  int8_rows<Fetching::ahead>(weights, span, rows, in, out);
}

void int4_rows_avx512vnni_ahead(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                                float* out) {
  int4_rows<ShiftedNibbles, Fetching::ahead>(weights, span, rows, in, out);
}

void int8_rows_avx512vnni_next(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                               float* out) {
  int8_rows<Fetching::next_panel>(weights, span, rows, in, out);
}

}  // namespace retort::runtime
