// Many rows by the row kernels for AVX2: blocks of a panel are unpacked to 16 bits once, in strips of 16 columns, and
// multiplied by tiles of up to six rows, whose 12 sums stay in registers. Compiled with these instructions, so no
// inline code of other headers may enter.
#include "runtime/linear/row_kernel_avx2.h"

namespace retort::runtime::avx2 {
namespace {

constexpr int kVectors = 2;  // of 8 columns: one strip
constexpr int kVectorBytes = 32;
constexpr std::int64_t kPairCodes = kStripColumns * 2;  // of a strip: two codes of each column
constexpr std::int64_t kLineBytes = 64;

// [strip][pair][16 columns][2]: what the first cache holds of one strip.
struct alignas(kLineBytes) UnpackedBlock {
  std::int16_t codes[kStrips][kBlockCodes / 2 * kPairCodes];
};

// Where a tile fetches the next block of weights from memory while it multiplies: a line a step of two pairs.
struct NextBlock {
  const std::byte* next;
  std::int64_t step;  // bytes: 0 where another tile does it
};

// Joined codes of a tile's rows, from the first pair on.
struct Rows {
  const std::int16_t* codes;
  std::int64_t stride, count;
};

struct alignas(kVectorBytes) TileSums {
  __m256i vectors[kTileRows][kVectors];
};

// The sums of a tile over an even number of pairs. Not inlined: beside other code GCC spills the sums.
template <int R>
[[gnu::noinline]] void multiply(const std::int16_t* strip, std::int64_t pairs, const Rows& rows, NextBlock next_block,
                                TileSums& tile) {
  const std::int16_t* x = rows.codes;
  const std::int64_t stride = rows.stride;
  __m256i sums[R][kVectors];
  repeat<R>([&](int r)
                RETORT_INLINE { repeat<kVectors>([&](int v) RETORT_INLINE { sums[r][v] = _mm256_setzero_si256(); }); });
  for (std::int64_t pair = 0; pair < pairs; pair += 2, strip += 2 * kPairCodes, x += 4) {
    _mm_prefetch(reinterpret_cast<const char*>(next_block.next), _MM_HINT_T1);
    next_block.next += next_block.step;
    repeat<2>([&](int i) RETORT_INLINE {
      const __m256i first = load(strip + i * kPairCodes), second = load(strip + i * kPairCodes + kPairCodes / 2);
      repeat<R>([&](int r) RETORT_INLINE {
        const __m256i codes = broadcast_pair(x + r * stride + 2 * i);
        add_products(sums[r][0], first, codes);
        add_products(sums[r][1], second, codes);
      });
    });
  }
  repeat<R>([&](int r)
                RETORT_INLINE { repeat<kVectors>([&](int v) RETORT_INLINE { tile.vectors[r][v] = sums[r][v]; }); });
}

// multiply<rows.count>, 1 to 6; `next_block` moves on.
void multiply_rows(const Rows& rows, const std::int16_t* strip, std::int64_t pairs, NextBlock& next_block,
                   TileSums& tile) {
  constexpr decltype(&multiply<1>) kBySize[] = {multiply<1>, multiply<2>, multiply<3>,
                                                multiply<4>, multiply<5>, multiply<6>};
  if (rows.count < 1 || rows.count > kTileRows) __builtin_unreachable();
  kBySize[rows.count - 1](strip, pairs, rows, next_block, tile);
  next_block.next += pairs / 2 * next_block.step;
}

// What becomes of a tile's sums over one block: see row_kernel_avx2.cpp, whose bits these are.
struct Int8Finish {
  const float* scales;  // of the strip's columns
  std::int64_t out_stride, columns;
  bool wide, first, last;
};

// Adds the sums of 8 columns to `target`, where `columns` of them are.
template <bool kWide, bool kFirst, bool kLast>
RETORT_INLINE inline void finish_int8_columns(__m256i sum, std::int64_t columns, __m256 scales, float* target) {
  __m256 total = kWide ? _mm256_cvtepi32_ps(sum) : _mm256_castsi256_ps(sum);
  if constexpr (!kFirst) {
    const __m256 before = load_some(target, columns);
    total =
        kWide ? _mm256_add_ps(before, total) : _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(before), sum));
  }
  if constexpr (kLast) total = _mm256_mul_ps(kWide ? total : _mm256_cvtepi32_ps(_mm256_castps_si256(total)), scales);
  store(target, columns, total);
}

template <bool kWide, bool kFirst, bool kLast>
RETORT_INLINE inline void finish_int8(std::int64_t rows, const TileSums& tile, const Int8Finish& finish, float* out) {
  const __m256 low = _mm256_loadu_ps(finish.scales), high = _mm256_loadu_ps(finish.scales + 8);
  for (std::int64_t row = 0; row < rows; ++row, out += finish.out_stride) {
    finish_int8_columns<kWide, kFirst, kLast>(tile.vectors[row][0], finish.columns, low, out);
    if (finish.columns > 8)
      finish_int8_columns<kWide, kFirst, kLast>(tile.vectors[row][1], finish.columns - 8, high, out + 8);
  }
}

template <bool kWide>
void finish_int8_block(std::int64_t rows, const TileSums& tile, const Int8Finish& finish, float* out) {
  if (finish.first && finish.last) return finish_int8<kWide, true, true>(rows, tile, finish, out);
  if (finish.first) return finish_int8<kWide, true, false>(rows, tile, finish, out);
  if (finish.last) return finish_int8<kWide, false, true>(rows, tile, finish, out);
  finish_int8<kWide, false, false>(rows, tile, finish, out);
}

void int8_tile(const Rows& rows, const std::int16_t* strip, std::int64_t pairs, NextBlock& next_block,
               const Int8Finish& finish, float* out) {
  TileSums tile;
  multiply_rows(rows, strip, pairs, next_block, tile);
  if (finish.wide) return finish_int8_block<true>(rows.count, tile, finish, out);
  finish_int8_block<false>(rows.count, tile, finish, out);
}

// The groups of one block.
struct Int4Groups {
  const std::byte* scales;  // of the strip's columns in the first group
  std::int64_t group_bytes, pairs, count;
  std::int64_t out_stride, columns;
  bool first;
};

template <ScaleType Type>
void int4_tile(Rows rows, const std::int16_t* strip, NextBlock& next_block, const Int4Groups& groups, float* out) {
  const std::byte* scales = groups.scales;
  TileSums tile;
  __m256 totals[kTileRows][kVectors] = {};
  for (std::int64_t row = 0; row < rows.count && !groups.first; ++row) {
    for (int v = 0; v < kVectors; ++v)
      totals[row][v] = load_some(out + row * groups.out_stride + v * 8, groups.columns - v * 8);
  }
  for (std::int64_t group = 0; group < groups.count; ++group) {
    multiply_rows(rows, strip, groups.pairs, next_block, tile);
    const __m256 low = load_scales<Type>(scales, 0), high = load_scales<Type>(scales, 1);
    for (std::int64_t row = 0; row < rows.count; ++row) {
      totals[row][0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(tile.vectors[row][0]), low, totals[row][0]);
      totals[row][1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(tile.vectors[row][1]), high, totals[row][1]);
    }
    strip += groups.pairs * kPairCodes;
    rows.codes += 2 * groups.pairs;
    scales += groups.group_bytes;
  }
  for (std::int64_t row = 0; row < rows.count; ++row) {
    for (int v = 0; v < kVectors; ++v)
      store(out + row * groups.out_stride + v * 8, groups.columns - v * 8, totals[row][v]);
  }
}

RETORT_INLINE inline void put_pair(std::int16_t* word, int pair, int v, __m256i codes) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(word + pair * kPairCodes + v * kPairCodes / 2), codes);
}

void unpack_int8(const std::byte* data, std::int64_t words, UnpackedBlock& block) {
  for (std::int64_t k = 0; k < words; ++k) {
    for (auto& strip : block.codes) {
      std::int16_t* target = strip + k * 2 * kPairCodes;
      repeat<kVectors>([&](int v) RETORT_INLINE {
        const __m256i word = load(data);
        put_pair(target, 0, v, _mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8));
        put_pair(target, 1, v, _mm256_srai_epi16(word, 8));
        data += kVectorBytes;
      });
    }
  }
}

// The words of one group, from pair `pair` on.
void unpack_int4(const std::byte* data, std::int64_t words, std::int64_t pair, UnpackedBlock& block) {
  const __m256i nibble = _mm256_set1_epi16(15), eight = _mm256_set1_epi16(8);
  for (std::int64_t k = 0; k < words; ++k, pair += 4) {
    for (auto& strip : block.codes) {
      std::int16_t* target = strip + pair * kPairCodes;
      repeat<kVectors>([&](int v) RETORT_INLINE {
        const __m256i word = load(data);
        const auto put = [&](int i, __m256i codes)
                             RETORT_INLINE { put_pair(target, i, v, _mm256_sub_epi16(codes, eight)); };
        // Nibbles 0 and 4, 2 and 6, 1 and 5, 3 and 7, as joined codes stand.
        put(0, _mm256_and_si256(word, nibble));
        put(1, _mm256_and_si256(_mm256_srli_epi16(word, 8), nibble));
        put(2, _mm256_and_si256(_mm256_srli_epi16(word, 4), nibble));
        put(3, _mm256_srli_epi16(word, 12));
        data += kVectorBytes;
      });
    }
  }
}

template <ScaleType Type>
void int4_panel(const Int4Panels& weights, std::int64_t panel, std::int64_t rows, const Int4Rows& in, float* out) {
  const std::int64_t block_groups = kBlockCodes / weights.group_size, stride = weights.groups * weights.group_size;
  const std::int64_t group_words = weights.group_size / kInt4WordCodes, first = panel * kPanelColumns;
  const std::byte* data = weights.data + panel * weights.panel_bytes();
  UnpackedBlock block;
  for (std::int64_t group = 0; group < weights.groups; group += block_groups) {
    const std::int64_t groups = weights.groups - group < block_groups ? weights.groups - group : block_groups;
    const std::byte* packed = data + group * weights.group_bytes();
    for (std::int64_t i = 0; i < groups; ++i)
      unpack_int4(packed + i * weights.group_bytes(), group_words, i * weights.group_size / 2, block);
    NextBlock next_block{packed + groups * weights.group_bytes(), 0};
    for (std::int64_t strip = 0; strip < kStrips && first + strip * kStripColumns < weights.out; ++strip) {
      const std::int64_t column = first + strip * kStripColumns;
      const Int4Groups part{packed + weights.word_bytes() + strip * weights.scale_bytes() / kStrips,
                            weights.group_bytes(),
                            weights.group_size / 2,
                            groups,
                            weights.out,
                            weights.out - column,
                            group == 0};
      for_each_tile(rows, [&](std::int64_t row, std::int64_t count) RETORT_INLINE {
        // The next block has half as many lines as its strips have steps, and its scales.
        next_block.step = row == 0 && strip <= kStrips / 2 ? kLineBytes : 0;
        const Rows codes{in.joined + row * stride + group * weights.group_size, stride, count};
        int4_tile<Type>(codes, block.codes[strip], next_block, part, out + row * weights.out + column);
      });
    }
  }
}

}  // namespace

void int8_many_rows(const Int8Panels& weights, std::int64_t panel, std::int64_t rows, const Int8Rows& in, float* out) {
  constexpr std::int64_t kBlockWords = kBlockCodes / kInt8WordCodes;
  const std::int64_t first = panel * kPanelColumns, stride = weights.words * kInt8WordCodes;
  const auto* data =
      reinterpret_cast<const std::byte*>(weights.codes) + panel * weights.stride_words * kWordColumnsBytes;
  UnpackedBlock block;
  for (std::int64_t word = 0; word < weights.words; word += kBlockWords) {
    const std::int64_t words = weights.words - word < kBlockWords ? weights.words - word : kBlockWords;
    const std::byte* packed = data + word * kWordColumnsBytes;
    unpack_int8(packed, words, block);
    NextBlock next_block{packed + words * kWordColumnsBytes, 0};
    for (std::int64_t strip = 0; strip < kStrips && first + strip * kStripColumns < weights.out; ++strip) {
      const std::int64_t column = first + strip * kStripColumns;
      const Int8Finish finish{weights.scales + column,      weights.out, weights.out - column, in.wide, word == 0,
                              word + words == weights.words};
      for_each_tile(rows, [&](std::int64_t row, std::int64_t count) RETORT_INLINE {
        next_block.step = row == 0 ? kLineBytes : 0;
        const Rows codes{in.joined + row * stride + word * kInt8WordCodes, stride, count};
        int8_tile(codes, block.codes[strip], 2 * words, next_block, finish, out + row * weights.out + column);
      });
    }
  }
}

void int4_many_rows(const Int4Panels& weights, std::int64_t panel, std::int64_t rows, const Int4Rows& in, float* out) {
  switch (weights.scale_type) {
    case ScaleType::f32:
      return int4_panel<ScaleType::f32>(weights, panel, rows, in, out);
    case ScaleType::f16:
      return int4_panel<ScaleType::f16>(weights, panel, rows, in, out);
    case ScaleType::bf16:
      return int4_panel<ScaleType::bf16>(weights, panel, rows, in, out);
  }
}

}  // namespace retort::runtime::avx2
