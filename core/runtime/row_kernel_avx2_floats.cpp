// f32 and bf16 weights times rows in f32 for AVX2, where oneDNN 3.7 has no bf16, so that it would read twice the bytes,
// and splits the sums of few rows between threads. Every sum is added in the order of the inputs, whatever the number
// of rows and threads. Compiled with these instructions, so no inline code of other headers may enter.
#include "runtime/row_kernel_avx2.h"

namespace retort::runtime {
namespace avx2 {
namespace {

constexpr int kVectorBytes = 32;
constexpr std::int64_t kFewRows = 3;
constexpr std::int64_t kFewBlockWords = 128;  // of all columns: what the first cache holds
constexpr std::int64_t kBlockValues = 512;    // of each column, unpacked
constexpr int kPanelVectors = 8, kStripVectors = 2;

struct alignas(kVectorBytes) Totals {
  __m256 vectors[kPanelVectors];
};

// The first of the two values of each word.
RETORT_INLINE inline __m256 lower_value(__m256i word) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(word, 16));
}

RETORT_INLINE inline __m256 upper_value(__m256i word) {
  return _mm256_castsi256_ps(_mm256_and_si256(word, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

// Adds one row's products with the columns of a panel; of the last word only the first value if `odd`.
template <bool kBf16, Fetch How>
void add_block(const std::byte* data, std::int64_t words, bool odd, const float* x, Totals& totals) {
  __m256 sums[kPanelVectors];
  repeat<kPanelVectors>([&](int v) RETORT_INLINE { sums[v] = totals.vectors[v]; });
  for (std::int64_t k = 0; k < words; ++k, data += kWordColumnsBytes, x += kBf16 ? 2 : 1) {
    fetch_words<How>(data);
    const __m256 first = _mm256_broadcast_ss(x);
    const __m256 second = kBf16 && !(odd && k == words - 1) ? _mm256_broadcast_ss(x + 1) : _mm256_setzero_ps();
    repeat<kPanelVectors>([&](int v) RETORT_INLINE {
      const __m256i word = load(data + v * kVectorBytes);
      if constexpr (kBf16) {
        sums[v] = _mm256_fmadd_ps(lower_value(word), first, sums[v]);
        sums[v] = _mm256_fmadd_ps(upper_value(word), second, sums[v]);
      } else {
        sums[v] = _mm256_fmadd_ps(_mm256_castsi256_ps(word), first, sums[v]);
      }
    });
  }
  repeat<kPanelVectors>([&](int v) RETORT_INLINE { totals.vectors[v] = sums[v]; });
}

template <bool kBf16>
void few_rows(const FloatPanels& weights, std::int64_t panel, std::int64_t rows, const float* in, float* out) {
  constexpr std::int64_t kValues = kBf16 ? 2 : 1;
  const std::int64_t words = (weights.in + kValues - 1) / kValues, first = panel * kPanelColumns;
  const std::byte* data = weights.data + panel * words * kWordColumnsBytes;
  Totals totals[kFewRows] = {};
  for (std::int64_t word = 0; word < words; word += kFewBlockWords) {
    const std::int64_t count = words - word < kFewBlockWords ? words - word : kFewBlockWords;
    const bool odd = kBf16 && weights.in % 2 == 1 && word + count == words;
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* x = in + row * weights.in + word * kValues;
      if (row == 0) {
        add_block<kBf16, Fetch::ahead>(data + word * kWordColumnsBytes, count, odd, x, totals[row]);
      } else {
        add_block<kBf16, Fetch::no>(data + word * kWordColumnsBytes, count, odd, x, totals[row]);
      }
    }
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kPanelVectors && first + v * 8 < weights.out; ++v) {
      const std::int64_t column = first + v * 8;
      store(out + row * weights.out + column, weights.out - column, totals[row].vectors[v]);
    }
  }
}

// [strip][value][16 columns]
struct alignas(64) UnpackedBlock {
  float values[kStrips][kBlockValues * kStripColumns];
};

template <bool kBf16>
void unpack(const std::byte* data, std::int64_t values, UnpackedBlock& block) {
  for (std::int64_t k = 0; k < values; k += kBf16 ? 2 : 1) {
    for (auto& strip : block.values) {
      float* target = strip + k * kStripColumns;
      repeat<kStripVectors>([&](int v) RETORT_INLINE {
        const __m256i word = load(data);
        data += kVectorBytes;
        _mm256_store_ps(target + v * 8, kBf16 ? lower_value(word) : _mm256_castsi256_ps(word));
        if (kBf16 && k + 1 < values) _mm256_store_ps(target + kStripColumns + v * 8, upper_value(word));
      });
    }
  }
}

struct alignas(kVectorBytes) TileSums {
  __m256 vectors[kTileRows][kStripVectors];
};

// Adds to the sums of a tile. Not inlined: beside other code GCC spills the sums.
template <int R>
[[gnu::noinline]] void multiply(const float* strip, std::int64_t values, const float* x, std::int64_t stride,
                                TileSums& tile) {
  __m256 sums[R][kStripVectors];
  repeat<R>([&](int r) RETORT_INLINE {
    repeat<kStripVectors>([&](int v) RETORT_INLINE { sums[r][v] = tile.vectors[r][v]; });
  });
  for (std::int64_t k = 0; k < values; ++k, strip += kStripColumns, ++x) {
    const __m256 first = _mm256_load_ps(strip), second = _mm256_load_ps(strip + 8);
    repeat<R>([&](int r) RETORT_INLINE {
      const __m256 value = _mm256_broadcast_ss(x + r * stride);
      sums[r][0] = _mm256_fmadd_ps(first, value, sums[r][0]);
      sums[r][1] = _mm256_fmadd_ps(second, value, sums[r][1]);
    });
  }
  repeat<R>([&](int r) RETORT_INLINE {
    repeat<kStripVectors>([&](int v) RETORT_INLINE { tile.vectors[r][v] = sums[r][v]; });
  });
}

// One tile and one strip: out += in · strip, or = where it is the first block.
void add_tile(const float* strip, std::int64_t values, const float* x, std::int64_t stride, std::int64_t rows,
              bool first, std::int64_t columns, std::int64_t out_stride, float* out) {
  constexpr decltype(&multiply<1>) kBySize[] = {multiply<1>, multiply<2>, multiply<3>,
                                                multiply<4>, multiply<5>, multiply<6>};
  TileSums tile;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kStripVectors; ++v) {
      tile.vectors[row][v] = first ? _mm256_setzero_ps() : load_some(out + row * out_stride + v * 8, columns - v * 8);
    }
  }
  kBySize[rows - 1](strip, values, x, stride, tile);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kStripVectors; ++v)
      store(out + row * out_stride + v * 8, columns - v * 8, tile.vectors[row][v]);
  }
}

template <bool kBf16>
void many_rows(const FloatPanels& weights, std::int64_t panel, std::int64_t rows, const float* in, float* out) {
  constexpr std::int64_t kValues = kBf16 ? 2 : 1;
  const std::int64_t words = (weights.in + kValues - 1) / kValues, first = panel * kPanelColumns;
  const std::byte* data = weights.data + panel * words * kWordColumnsBytes;
  UnpackedBlock block;
  for (std::int64_t k = 0; k < weights.in; k += kBlockValues) {
    const std::int64_t values = weights.in - k < kBlockValues ? weights.in - k : kBlockValues;
    unpack<kBf16>(data + k / kValues * kWordColumnsBytes, values, block);
    for (std::int64_t strip = 0; strip < kStrips && first + strip * kStripColumns < weights.out; ++strip) {
      const std::int64_t column = first + strip * kStripColumns;
      for_each_tile(rows, [&](std::int64_t row, std::int64_t count) RETORT_INLINE {
        add_tile(block.values[strip], values, in + row * weights.in + k, weights.in, count, k == 0,
                 weights.out - column, weights.out, out + row * weights.out + column);
      });
    }
  }
}

template <bool kBf16>
void float_rows(const FloatPanels& weights, const PanelSpan& span, std::int64_t rows, const float* in, float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    if (rows > kFewRows) {
      many_rows<kBf16>(weights, panel, rows, in, out);
    } else {
      few_rows<kBf16>(weights, panel, rows, in, out);
    }
  }
}

}  // namespace
}  // namespace avx2

void float_rows_avx2(const FloatPanels& weights, const PanelSpan& span, std::int64_t rows, const float* in,
                     float* out) {
  if (weights.bf16) return avx2::float_rows<true>(weights, span, rows, in, out);
  avx2::float_rows<false>(weights, span, rows, in, out);
}

}  // namespace retort::runtime
