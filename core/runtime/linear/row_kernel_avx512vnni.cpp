// Row kernels of row_kernel.h for AVX-512 with VNNI.
#include "runtime/linear/row_kernel_avx512vnni.h"

namespace retort::runtime {
namespace {

using namespace avx512;

// int8: a line beside each line, so far ahead.
constexpr int kAheadBytes = 4096;
// Planes whose sums fit the registers.
constexpr int kTilePlanes = 4;

// The second of the codes in every byte.
struct ShiftedNibbles {
  RETORT_INLINE static __m512i high(__m512i word) {
    return _mm512_and_si512(_mm512_srli_epi16(word, 4), _mm512_set1_epi8(15));
  }
};

// Codes are multiplied as code + 128, unsigned: what has to be taken off again, 128 times the sum of each column.
RETORT_INLINE inline __m512i first_sums(const Int8Panels& weights, std::int64_t column) {
  return _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(_mm512_loadu_si512(weights.sums + column), 7));
}

// What the sums over a row's planes, one (L = 1) or two, stand for, before the row's own scale.
template <int L>
RETORT_INLINE inline void store_row(const Int8Panels& weights, std::int64_t row, std::int64_t column, __m512i high,
                                    __m512i low, float* out) {
  const __m512 scales = _mm512_loadu_ps(weights.scales + column);
  const auto scaled = [&](__m512i sum) RETORT_INLINE { return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales); };
  store(out + row * weights.out + column, weights.out - column,
        L == 2 ? join_planes(scaled(high), scaled(low)) : scaled(high));
}

// Adds the products of some words of a panel with R planes of codes. fetch() is called once a word, fetch_beside(line)
// for each of its lines.
template <int R, class Fetch, class FetchBeside>
RETORT_INLINE inline void add_words(const std::byte* data, std::int64_t words, const std::int8_t* codes,
                                    std::int64_t stride, __m512i (&sums)[kVectors][R], const Fetch& fetch,
                                    const FetchBeside& fetch_beside) {
  for (std::int64_t k = 0; k < words; ++k, data += kStepBytes, codes += 4) {
    __m512i x[R];
    repeat<R>([&](int r) RETORT_INLINE {
      x[r] = _mm512_xor_si512(broadcast_word(codes + r * stride), _mm512_set1_epi8(-128));
    });
    fetch();
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const std::byte* line = data + v * kVectorBytes;
      fetch_beside(line);
      const __m512i w = _mm512_load_si512(line);
      repeat<R>([&](int r) RETORT_INLINE { add_products(sums[v][r], x[r], w); });
    });
  }
}

// R planes, L = 1 or 2 to a row; 4 · R accumulators take at most 16 of the 32 registers.
template <Fetching How, int R, int L>
void int8_tile(const Int8Panels& weights, const PanelSpan& span, std::int64_t panel, const Int8Rows& in,
               std::int64_t row, float* out) {
  static_assert(R % L == 0 && R <= kTilePlanes);
  const std::int64_t first = panel * kPanelColumns;
  const auto* all = reinterpret_cast<const std::byte*>(weights.codes);
  Following<How> following(all, weights.stride_words * kStepBytes, span, panel);
  __m512i sums[kVectors][R];
  repeat<kVectors>([&](int v) RETORT_INLINE {
    const __m512i start = first_sums(weights, first + v * 16);
    repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = start; });
  });
  add_words<R>(
      all + panel * weights.stride_words * kStepBytes, weights.words, in.codes + row * L * in.stride, in.stride, sums,
      [&]() RETORT_INLINE { following.fetch_four(); },
      [](const std::byte* line) RETORT_INLINE {
        if constexpr (How == Fetching::ahead) prefetch(line + kAheadBytes);
      });
  repeat<kVectors>([&](int v) RETORT_INLINE {
    repeat<R / L>([&](int r) RETORT_INLINE {
      store_row<L>(weights, row + r, first + v * 16, sums[v][r * L], sums[v][r * L + L - 1], out);
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

// More planes than registers hold, of a panel that comes from memory. All of them meet a block of its words while that
// is in the first cache, and their sums wait there meanwhile: memory would be idle while a second pass reads a whole
// panel from the second cache. A block is so short that the processor keeps fetching ahead; where it is used for long,
// what follows is fetched too, since nothing else waits for memory then.
class BlockedProduct {
 public:
  static constexpr std::int64_t kPlanes = 32;  // at most

  BlockedProduct(const Int8Panels& weights, const std::int8_t* codes, std::int64_t stride, std::int64_t planes)
      : weights_(weights), codes_(codes), stride_(stride), planes_(planes) {}

  void multiply(std::int64_t panel) {
    repeat<kVectors>([&](int v) RETORT_INLINE {
      const __m512i start = first_sums(weights_, panel * kPanelColumns + v * 16);
      for (std::int64_t plane = 0; plane < planes_; ++plane) _mm512_store_si512(sums_[plane][v], start);
    });
    const std::byte* data =
        reinterpret_cast<const std::byte*>(weights_.codes) + panel * weights_.stride_words * kStepBytes;
    for (std::int64_t k = 0; k < weights_.words; k += kWords, data += kWords * kStepBytes) {
      const std::int64_t words = weights_.words - k < kWords ? weights_.words - k : kWords;
      const bool fetch = planes_ >= kFetchedPlanes && words == kWords;
      std::int64_t plane = 0;
      for (; planes_ - plane >= kTilePlanes; plane += kTilePlanes) {
        if (fetch && plane < kFetchedPlanes) {
          add_block<kTilePlanes, true>(data, words, k, plane);
        } else {
          add_block<kTilePlanes, false>(data, words, k, plane);
        }
      }
      if (planes_ - plane == 3) add_block<3, false>(data, words, k, plane);
      if (planes_ - plane == 2) add_block<2, false>(data, words, k, plane);
      if (planes_ - plane == 1) add_block<1, false>(data, words, k, plane);
    }
  }

  // Rows from `row` on, of L planes each.
  template <int L>
  void store_rows(std::int64_t panel, std::int64_t row, float* out) const {
    for (std::int64_t plane = 0; plane < planes_; plane += L)
      repeat<kVectors>([&](int v) RETORT_INLINE {
        store_row<L>(weights_, row + plane / L, panel * kPanelColumns + v * 16, _mm512_load_si512(sums_[plane][v]),
                     _mm512_load_si512(sums_[plane + L - 1][v]), out);
      });
  }

 private:
  // So many words, 4 kB, are a block. As many planes or more let a quarter of the next one be fetched by each of the
  // first four tiles, a line a word.
  static constexpr std::int64_t kWords = 16, kFetchedPlanes = std::int64_t{kVectors} * kTilePlanes;

  template <int R, bool Fetch>
  void add_block(const std::byte* data, std::int64_t words, std::int64_t first_word, std::int64_t plane) {
    __m512i sums[kVectors][R];
    repeat<kVectors>([&](int v) RETORT_INLINE {
      repeat<R>([&](int r) RETORT_INLINE { sums[v][r] = _mm512_load_si512(sums_[plane + r][v]); });
    });
    const std::byte* following = data + kWords * kStepBytes + plane / kTilePlanes * kWords * kVectorBytes;
    add_words<R>(
        data, words, codes_ + plane * stride_ + first_word * 4, stride_, sums,
        [&]() RETORT_INLINE {
          if constexpr (Fetch) prefetch(following);
          following += kVectorBytes;
        },
        [](const std::byte*) RETORT_INLINE {});
    repeat<kVectors>([&](int v) RETORT_INLINE {
      repeat<R>([&](int r) RETORT_INLINE { _mm512_store_si512(sums_[plane + r][v], sums[v][r]); });
    });
  }

  const Int8Panels& weights_;
  const std::int8_t* codes_;
  std::int64_t stride_;
  std::int64_t planes_;
  alignas(64) std::int32_t sums_[kPlanes][kVectors][16];
};

template <int L>
void int8_blocks(const Int8Panels& weights, std::int64_t panel, std::int64_t rows, const Int8Rows& in, float* out) {
  constexpr std::int64_t kRows = BlockedProduct::kPlanes / L;
  for (std::int64_t row = 0; row < rows; row += kRows) {
    const std::int64_t count = rows - row < kRows ? rows - row : kRows;
    BlockedProduct product(weights, in.codes + row * L * in.stride, in.stride, count * L);
    product.multiply(panel);
    product.store_rows<L>(panel, row, out);
  }
}

template <Fetching How, int L>
void int8_panels(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in, float* out) {
  const bool blocks = How == Fetching::by_hardware && rows * L > kTilePlanes && !weights.stay_cached();
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    std::int64_t row = 0;
    if (blocks) {
      int8_blocks<L>(weights, panel, rows, in, out);
      continue;
    }
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
