// What the row kernels for AVX2 share: row_kernel_avx2.cpp (few rows of codes), row_kernel_avx2_tiles.cpp (many) and
// row_kernel_avx2_bf16.cpp. Codes of both planes are joined to numbers of 16 bits, whose products with weights of at
// most 8 are added in pairs, in 32 bits: without VNNI two products of bytes would have to be added in 16 bits, plane by
// plane. For these files alone: it is compiled with their instructions.
#pragma once

#include <immintrin.h>

#include "runtime/linear/row_kernel.h"
#include "runtime/linear/row_kernel_inline.h"

namespace retort::runtime::avx2 {

/// Codes that are joined, and weights that are unpacked, at once. Sums of so many products of an int8 weight fit in
/// 32 bits: 1024 · 128 · (128 · 127 + 127) < 2³¹. For W8A16 these sums are added in f32, in order, for any number of
/// rows.
inline constexpr std::int64_t kBlockCodes = 1024;
inline constexpr std::int64_t kWordColumnsBytes = kPanelColumns * 4;  // one word of each column of a panel
inline constexpr std::int64_t kInt8WordCodes = 4, kInt4WordCodes = 8;

// Tiles of many rows: their 12 sums of 8 columns stay in registers.
inline constexpr std::int64_t kTileRows = 6;
inline constexpr std::int64_t kStripColumns = 16, kStrips = kPanelColumns / kStripColumns;

// One row reads a panel from memory in order, and fetches a line beside each line that it uses, so far ahead.
inline constexpr int kAheadBytes = 1024;

// The first row to read a block of weights fetches what follows; the others find it in the cache.
enum class Fetch { no, ahead };

void int8_many_rows(const Int8Panels&, std::int64_t panel, std::int64_t rows, const Int8Rows&, float* out);
void int4_many_rows(const Int4Panels&, std::int64_t panel, std::int64_t rows, const Int4Rows&, float* out);

template <Fetch How>
RETORT_INLINE inline void fetch_words(const std::byte* data) {
  constexpr int kLineBytes = 64;
  if constexpr (How == Fetch::ahead) {
    repeat<kWordColumnsBytes / kLineBytes>([&](int line) RETORT_INLINE {
      _mm_prefetch(reinterpret_cast<const char*>(data + kAheadBytes + line * kLineBytes), _MM_HINT_T0);
    });
  }
}

/// f(row, count) for tiles that are as large as they can and as equal as they can.
template <class Function>
RETORT_INLINE inline void for_each_tile(std::int64_t rows, Function f) {
  std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  for (std::int64_t row = 0; row < rows; --tiles) {
    const std::int64_t count = (rows - row + tiles - 1) / tiles;
    f(row, count);
    row += count;
  }
}

RETORT_INLINE inline __m256i load(const void* data) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(data));
}

RETORT_INLINE inline __m256i broadcast_pair(const std::int16_t* codes) {
  using Pair = int __attribute__((may_alias, aligned(2)));
  return _mm256_set1_epi32(*reinterpret_cast<const Pair*>(codes));
}

/// sum += weights · codes, pairs of them in each lane. As assembly, since GCC 14 would compute the products of all rows
/// before it adds them, and then has no registers left for the sums.
RETORT_INLINE inline void add_products(__m256i& sum, __m256i weights, __m256i codes) {
  __m256i products;
  asm("vpmaddwd %[codes], %[weights], %[products]\n\tvpaddd %[products], %[sum], %[sum]"
      : [sum] "+x"(sum), [products] "=&x"(products)
      : [weights] "x"(weights), [codes] "x"(codes));
}

RETORT_INLINE inline void store(float* out, std::int64_t columns, __m256 values) {
  if (columns >= 8) return _mm256_storeu_ps(out, values);
  float all[8];
  _mm256_storeu_ps(all, values);
  for (std::int64_t i = 0; i < columns; ++i) out[i] = all[i];
}

/// 8 values of `out`, of which `columns` are there.
RETORT_INLINE inline __m256 load_some(const float* out, std::int64_t columns) {
  if (columns >= 8) return _mm256_loadu_ps(out);
  float all[8] = {};
  for (std::int64_t i = 0; i < columns; ++i) all[i] = out[i];
  return _mm256_loadu_ps(all);
}

/// Scales of columns 8v … 8v + 7.
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

}  // namespace retort::runtime::avx2
