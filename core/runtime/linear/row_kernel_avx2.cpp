// Row kernels of row_kernel.h for AVX2 without VNNI, and what they do with few rows: each reads a panel from end to
// end, a block of words after the other, so that weights come from memory once and in order. Compiled with these
// instructions, so no inline code of other headers may enter.
#include "runtime/linear/row_kernel_avx2.h"

namespace retort::runtime {
namespace avx2 {
namespace {

// More rows are multiplied in tiles of unpacked weights (linear_benchmark).
constexpr std::int64_t kFewRows = 5;
constexpr int kVectors = 8;  // of 8 columns: one panel
constexpr int kVectorBytes = 32;

// Sixteen codes: 128 · high + low, or high alone where there is one plane (low is null). Of each four the two in the
// middle change places, as the even and the odd bytes of a word meet them.
RETORT_INLINE inline void join_sixteen(const std::int8_t* high, const std::int8_t* low, std::int16_t* out) {
  __m256i codes = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(high)));
  if (low != nullptr) {
    const __m256i lower = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low)));
    codes = _mm256_add_epi16(_mm256_slli_epi16(codes, 7), lower);
  }
  constexpr int kSwap = 0b11'01'10'00;
  codes = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(codes, kSwap), kSwap);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), codes);
}

// The sums of a panel's columns over `words` words of joined codes.
template <Fetch How>
RETORT_INLINE inline void int8_block(const std::byte* data, std::int64_t words, const std::int16_t* x,
                                     __m256i (&sums)[kVectors]) {
  repeat<kVectors>([&](int v) RETORT_INLINE { sums[v] = _mm256_setzero_si256(); });
  for (std::int64_t k = 0; k < words; ++k, data += kWordColumnsBytes, x += kInt8WordCodes) {
    const __m256i x_even = broadcast_pair(x), x_odd = broadcast_pair(x + 2);
    fetch_words<How>(data);
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m256i word = load(data + v * kVectorBytes);
      add_products(sums[v], _mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8), x_even);
      add_products(sums[v], _mm256_srai_epi16(word, 8), x_odd);
    });
  }
}

// A panel's results of one row while its blocks are added: integers, or floats where codes have 15 bits.
struct alignas(kVectorBytes) Int8Totals {
  __m256i vectors[kVectors];
};

RETORT_INLINE inline void add_block(const __m256i (&sums)[kVectors], bool wide, bool first, Int8Totals& totals) {
  repeat<kVectors>([&](int v) RETORT_INLINE {
    __m256i& total = totals.vectors[v];
    if (!wide) {
      total = first ? sums[v] : _mm256_add_epi32(total, sums[v]);
    } else {
      const __m256 sum = _mm256_cvtepi32_ps(sums[v]);
      total = _mm256_castps_si256(first ? sum : _mm256_add_ps(_mm256_castsi256_ps(total), sum));
    }
  });
}

void int8_few_rows(const Int8Panels& weights, std::int64_t panel, std::int64_t rows, const Int8Rows& in, float* out) {
  constexpr std::int64_t kBlockWords = kBlockCodes / kInt8WordCodes;
  const auto* data =
      reinterpret_cast<const std::byte*>(weights.codes) + panel * weights.stride_words * kWordColumnsBytes;
  Int8Totals totals[kFewRows];
  for (std::int64_t word = 0; word < weights.words; word += kBlockWords) {
    const std::int64_t words = weights.words - word < kBlockWords ? weights.words - word : kBlockWords;
    const std::byte* block = data + word * kWordColumnsBytes;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int16_t* x = in.joined + (row * weights.words + word) * kInt8WordCodes;
      __m256i sums[kVectors];
      if (row == 0) {
        int8_block<Fetch::ahead>(block, words, x, sums);
      } else {
        int8_block<Fetch::no>(block, words, x, sums);
      }
      add_block(sums, in.wide, word == 0, totals[row]);
    }
  }
  const std::int64_t first = panel * kPanelColumns;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kVectors && first + v * 8 < weights.out; ++v) {
      const __m256i total = totals[row].vectors[v];
      const __m256 sum = in.wide ? _mm256_castsi256_ps(total) : _mm256_cvtepi32_ps(total);
      const std::int64_t column = first + v * 8;
      store(out + row * weights.out + column, weights.out - column,
            _mm256_mul_ps(sum, _mm256_loadu_ps(weights.scales + column)));
    }
  }
}

// The sums of a panel's columns over one group of joined codes.
template <Fetch How>
RETORT_INLINE inline void int4_group(const std::byte* data, std::int64_t words, const std::int16_t* x,
                                     __m256i (&sums)[kVectors]) {
  const __m256i nibble = _mm256_set1_epi16(15);
  for (std::int64_t k = 0; k < words; ++k, data += kWordColumnsBytes, x += kInt4WordCodes) {
    // Nibbles 0 and 4 of a word stand in its two halves, then 1 and 5, …; codes as 0 4 2 6 1 5 3 7.
    const __m256i x04 = broadcast_pair(x), x26 = broadcast_pair(x + 2);
    const __m256i x15 = broadcast_pair(x + 4), x37 = broadcast_pair(x + 6);
    fetch_words<How>(data);
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m256i word = load(data + v * kVectorBytes);
      add_products(sums[v], _mm256_and_si256(word, nibble), x04);
      add_products(sums[v], _mm256_and_si256(_mm256_srli_epi16(word, 4), nibble), x15);
      add_products(sums[v], _mm256_and_si256(_mm256_srli_epi16(word, 8), nibble), x26);
      add_products(sums[v], _mm256_srli_epi16(word, 12), x37);
    });
  }
}

struct alignas(kVectorBytes) Int4Totals {
  __m256 vectors[kVectors];
};

template <ScaleType Type, Fetch How>
void int4_block(const std::byte* data, const Int4Panels& weights, std::int64_t groups, const std::int16_t* x,
                const std::int32_t* row_sums, Int4Totals& totals) {
  for (std::int64_t group = 0; group < groups; ++group, x += weights.group_size) {
    // Codes are 8 too large: take 8 times the sum of the row's codes off.
    const std::int32_t row_sum = 128 * row_sums[group] + row_sums[weights.groups + group];
    __m256i sums[kVectors];
    repeat<kVectors>([&](int v) RETORT_INLINE { sums[v] = _mm256_set1_epi32(-8 * row_sum); });
    int4_group<How>(data, weights.group_size / kInt4WordCodes, x, sums);
    const std::byte* const scales = data + weights.word_bytes();
    fetch_words<How>(scales);
    repeat<kVectors>([&](int v) RETORT_INLINE {
      totals.vectors[v] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[v]), load_scales<Type>(scales, v), totals.vectors[v]);
    });
    data += weights.group_bytes();
  }
}

template <ScaleType Type>
void int4_few_rows(const Int4Panels& weights, std::int64_t panel, std::int64_t rows, const Int4Rows& in, float* out) {
  const std::int64_t block_groups = kBlockCodes / weights.group_size;
  const std::byte* data = weights.data + panel * weights.panel_bytes();
  Int4Totals totals[kFewRows] = {};
  for (std::int64_t group = 0; group < weights.groups; group += block_groups) {
    const std::int64_t groups = weights.groups - group < block_groups ? weights.groups - group : block_groups;
    const std::byte* block = data + group * weights.group_bytes();
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int16_t* x = in.joined + (row * weights.groups + group) * weights.group_size;
      const std::int32_t* row_sums = in.sums + 2 * row * weights.groups + group;
      if (row == 0) {
        int4_block<Type, Fetch::ahead>(block, weights, groups, x, row_sums, totals[row]);
      } else {
        int4_block<Type, Fetch::no>(block, weights, groups, x, row_sums, totals[row]);
      }
    }
  }
  const std::int64_t first = panel * kPanelColumns;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kVectors && first + v * 8 < weights.out; ++v) {
      const std::int64_t column = first + v * 8;
      store(out + row * weights.out + column, weights.out - column, totals[row].vectors[v]);
    }
  }
}

}  // namespace
}  // namespace avx2

void join_codes_avx2(const std::int8_t* high, const std::int8_t* low, std::int64_t count, std::int16_t* out) {
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) avx2::join_sixteen(high + i, low == nullptr ? nullptr : low + i, out + i);
  if (i == count) return;
  std::int8_t rest[2][16] = {};
  for (std::int64_t k = 0; i + k < count; ++k) {
    rest[0][k] = high[i + k];
    rest[1][k] = low == nullptr ? std::int8_t{0} : low[i + k];
  }
  std::int16_t joined[16];
  avx2::join_sixteen(rest[0], low == nullptr ? nullptr : rest[1], joined);
  for (std::int64_t k = 0; i + k < count; ++k) out[i + k] = joined[k];
}

void int8_rows_avx2(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                    float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    if (rows > avx2::kFewRows) {
      avx2::int8_many_rows(weights, panel, rows, in, out);
    } else {
      avx2::int8_few_rows(weights, panel, rows, in, out);
    }
  }
}

void int4_rows_avx2(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                    float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    if (rows > avx2::kFewRows) {
      avx2::int4_many_rows(weights, panel, rows, in, out);
    } else if (weights.scale_type == ScaleType::f32) {
      avx2::int4_few_rows<ScaleType::f32>(weights, panel, rows, in, out);
    } else if (weights.scale_type == ScaleType::f16) {
      avx2::int4_few_rows<ScaleType::f16>(weights, panel, rows, in, out);
    } else {
      avx2::int4_few_rows<ScaleType::bf16>(weights, panel, rows, in, out);
    }
  }
}

}  // namespace retort::runtime
