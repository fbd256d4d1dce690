// bf16 weights times rows in f32 with AVX2, for one row on processors whose oneDNN multiplies bf16 and for more on
// others, where it would multiply f32. Every sum is added in the order of the inputs, whatever the number of rows and
// threads. Compiled with these instructions, so no inline code of other headers may enter.
#include "runtime/linear/row_kernel_avx2.h"

namespace retort::runtime {
namespace avx2 {
namespace {

constexpr int kVectorBytes = 32, kPanelVectors = 8;
constexpr std::int64_t kMostWords = 96;             // of all columns: most of the first cache
constexpr std::int64_t kGroupRows = 4 * kTileRows;  // that a panel is read once for

// How many vectors of columns R rows are multiplied with at once, so that their sums stay in registers, and there are
// enough of them to hide how long an addition takes.
template <int R>
constexpr int kTileVectors = R == 1   ? 8
                             : R == 2 ? 4
                                      : 2;

// [row][vector]: the sums of a panel while its blocks are added.
struct alignas(kVectorBytes) Totals {
  __m256 vectors[kGroupRows][kPanelVectors];
};

// A block of a panel.
struct Block {
  const std::byte* data;
  std::int64_t words;
  bool odd;  // of the last word only the first value counts
};

// The first of the two values of each word.
RETORT_INLINE inline __m256 lower_value(__m256i word) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(word, 16));
}

RETORT_INLINE inline __m256 upper_value(__m256i word) {
  return _mm256_castsi256_ps(_mm256_and_si256(word, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

// Adds the products of R rows with the columns of some vectors.
template <Fetch How, int R>
[[gnu::noinline]] void add_strip(const Block& block, const float* x, std::int64_t stride, int first,
                                 __m256 (*totals)[kPanelVectors]) {
  constexpr int kVectors = kTileVectors<R>;
  __m256 sums[R][kVectors];
  repeat<R>([&](int r)
                RETORT_INLINE { repeat<kVectors>([&](int v) RETORT_INLINE { sums[r][v] = totals[r][first + v]; }); });
  const std::byte* data = block.data;
  const auto add = [&](auto value, const float* at) RETORT_INLINE {
    __m256 weights[kVectors];
    repeat<kVectors>([&](int v) RETORT_INLINE { weights[v] = value(load(data + (first + v) * kVectorBytes)); });
    repeat<R>([&](int r) RETORT_INLINE {
      const __m256 input = _mm256_broadcast_ss(at + r * stride);
      repeat<kVectors>([&](int v) RETORT_INLINE { sums[r][v] = _mm256_fmadd_ps(weights[v], input, sums[r][v]); });
    });
  };
  const std::int64_t whole = block.odd ? block.words - 1 : block.words;
  for (std::int64_t k = 0; k < whole; ++k, data += kWordColumnsBytes, x += 2) {
    fetch_words<How>(data);
    add([](__m256i word) RETORT_INLINE { return lower_value(word); }, x);
    add([](__m256i word) RETORT_INLINE { return upper_value(word); }, x + 1);
  }
  if (block.odd) add([](__m256i word) RETORT_INLINE { return lower_value(word); }, x);
  repeat<R>([&](int r)
                RETORT_INLINE { repeat<kVectors>([&](int v) RETORT_INLINE { totals[r][first + v] = sums[r][v]; }); });
}

// R rows times a block. Its first strip may fetch what follows; the others find their lines in the cache.
template <int R>
void add_tile(const Block& block, bool fetch, const float* x, std::int64_t stride, __m256 (*totals)[kPanelVectors]) {
  if (fetch) {
    add_strip<Fetch::ahead, R>(block, x, stride, 0, totals);
  } else {
    add_strip<Fetch::no, R>(block, x, stride, 0, totals);
  }
  for (int first = kTileVectors<R>; first < kPanelVectors; first += kTileVectors<R>)
    add_strip<Fetch::no, R>(block, x, stride, first, totals);
}

// At most kGroupRows rows.
void multiply_panel(const Bf16Panels& weights, bool fetch, std::int64_t panel, std::int64_t rows, const float* in,
                    float* out) {
  constexpr decltype(&add_tile<1>) kByRows[] = {add_tile<1>, add_tile<2>, add_tile<3>,
                                                add_tile<4>, add_tile<5>, add_tile<6>};
  const std::int64_t words = (weights.in + 1) / 2, column = panel * kPanelColumns;
  Totals totals;
  for (std::int64_t row = 0; row < rows; ++row)
    for (__m256& vector : totals.vectors[row]) vector = _mm256_setzero_ps();
  // Blocks as equal as they can.
  std::int64_t blocks = (words + kMostWords - 1) / kMostWords, word = 0;
  for (; blocks > 0; --blocks) {
    const std::int64_t count = (words - word + blocks - 1) / blocks;
    const Block block{weights.data + panel * weights.panel_bytes() + word * kWordColumnsBytes, count,
                      weights.in % 2 == 1 && blocks == 1};
    for_each_tile(rows, [&](std::int64_t row, std::int64_t tile_rows) RETORT_INLINE {
      kByRows[tile_rows - 1](block, fetch && row == 0, in + row * weights.in + 2 * word, weights.in,
                             totals.vectors + row);
    });
    word += count;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kPanelVectors && column + v * 8 < weights.out; ++v)
      store(out + row * weights.out + column + v * 8, weights.out - column - v * 8, totals.vectors[row][v]);
  }
}

void multiply(const Bf16Panels& weights, bool fetch, const PanelSpan& span, std::int64_t rows, const float* in,
              float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    for (std::int64_t row = 0; row < rows; row += kGroupRows) {
      const std::int64_t count = rows - row < kGroupRows ? rows - row : kGroupRows;
      multiply_panel(weights, fetch, panel, count, in + row * weights.in, out + row * weights.out);
    }
  }
}

}  // namespace
}  // namespace avx2

void bf16_rows_avx2(const Bf16Panels& weights, const PanelSpan& span, std::int64_t rows, const float* in, float* out) {
  avx2::multiply(weights, false, span, rows, in, out);
}

void bf16_rows_avx2_ahead(const Bf16Panels& weights, const PanelSpan& span, std::int64_t rows, const float* in,
                          float* out) {
  avx2::multiply(weights, true, span, rows, in, out);
}

}  // namespace retort::runtime
