// See attention.h. Written with vector types because the partial sums must stay in registers across the inner loops,
// which plain arrays do not promise; the compiler lowers them to what each processor level has.
#include "runtime/kernels/attention.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "runtime/kernels/exponential.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kSumLanes = 16;
static_assert(kBlockTokens == 32 && kValueLanes == 16);

template <std::int64_t kFloats>
struct Vectors;
template <>
struct Vectors<16> {
  using Floats = float __attribute__((vector_size(64), may_alias));
  using Integers = std::int32_t __attribute__((vector_size(64), may_alias));
  using Halves = std::uint16_t __attribute__((vector_size(32), may_alias));
  using Bytes = std::int8_t __attribute__((vector_size(16), may_alias));
};
template <>
struct Vectors<8> {
  using Floats = float __attribute__((vector_size(32), may_alias));
  using Integers = std::int32_t __attribute__((vector_size(32), may_alias));
  using Halves = std::uint16_t __attribute__((vector_size(16), may_alias));
  using Bytes = std::int8_t __attribute__((vector_size(8), may_alias));
};

// How many floats a register holds, and with how many queries 32 keys, or 32 columns of values, are multiplied at once,
// so that their sums stay in registers: 16 of 32 (AVX-512), 12 of 16 (AVX2; a key and the queries take the others).
struct Avx512Registers {
  static constexpr std::int64_t kLanes = 16;
  static constexpr int kQueries = static_cast<int>(kQueryTile);
};
struct Avx2Registers {
  static constexpr std::int64_t kLanes = 8;
  static constexpr int kQueries = 3;
};
struct AnyRegisters {
  static constexpr std::int64_t kLanes = 8;
  static constexpr int kQueries = 2;
};

// Cache elements as f32. Results by reference: returning vectors would depend on the processor level's calling
// convention.
template <class Registers>
struct Elements {
  using Vector = Vectors<Registers::kLanes>;
  using Floats = typename Vector::Floats;

  [[gnu::always_inline]] static void load(const float* from, Floats& to) {
    to = *reinterpret_cast<const Floats*>(from);
  }
  [[gnu::always_inline]] static void load(const std::uint16_t* from, Floats& to) {
    const auto& halves = *reinterpret_cast<const typename Vector::Halves*>(from);
#if defined(__x86_64__)
    if constexpr (std::is_same_v<Registers, Avx2Registers>) {
      // A permutation would need a register of zeros, which is one too many.
      asm("vpmovzxwd %[halves], %[to]\n\tvpslld $16, %[to], %[to]" : [to] "=x"(to) : [halves] "m"(halves));
      return;
    }
#endif
    widen(halves, &to);
  }
  // int8: without their scale, and 2²⁴ times as large, since each stands in the highest byte of its lane.
  [[gnu::always_inline]] static void load(const std::int8_t* from, Floats& to) {
    const auto& codes = *reinterpret_cast<const typename Vector::Bytes*>(from);
    typename Vector::Integers lanes;
#if defined(__x86_64__)
    if constexpr (std::is_same_v<Registers, Avx2Registers>) {
      asm("vpmovsxbd %[codes], %[lanes]\n\tvpslld $24, %[lanes], %[lanes]" : [lanes] "=x"(lanes) : [codes] "m"(codes));
    } else
#endif
    {
      typename Vector::Halves halves;
      interleave(codes, &halves);
      widen(halves, &lanes);
    }
    to = __builtin_convertvector(lanes, Floats);
  }

 private:
  // A zero below each half. GCC 14 takes the widening of integers apart, but not a permutation.
  [[gnu::always_inline]] static void widen(const typename Vector::Halves& halves, void* lanes) {
    interleave(halves, lanes);
  }
  template <class Narrow>
  [[gnu::always_inline]] static void interleave(const Narrow& values, void* target) {
    if constexpr (Registers::kLanes == 16) {
      const auto pairs = __builtin_shufflevector(Narrow{}, values, 0, 16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0,
                                                 23, 0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31);
      std::memcpy(target, &pairs, sizeof(pairs));
    } else {
      const auto pairs =
          __builtin_shufflevector(Narrow{}, values, 0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15);
      std::memcpy(target, &pairs, sizeof(pairs));
    }
  }
};

constexpr float kCodeUnit = 0x1p-24f;  // of int8 elements

struct Problem {
  const QueryTile* tile;
  KvCache::Plane plane;
  const BlockId* blocks;
  std::int64_t head_dim, padded_dim;
  float* sums;    // [kQueryTile][padded_dim]: Σ weight · value so far
  float* scores;  // [kQueryTile][kBlockTokens]: of one block; then its weights
};

struct Softmax {
  float maximum = -std::numeric_limits<float>::infinity();
  float sums[kSumLanes]{};  // of the weights, every sixteenth position in one
};

// Fetches `lanes` elements of the next block while those of this one are used. The processor's own prefetching stops at
// the ends of pages, and a block of 64 bf16 columns is one.
template <class Element>
[[gnu::always_inline]] inline void prefetch(const Element* from, std::int64_t lanes) {
  constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(Element));
  for (std::int64_t i = 0; i < lanes; i += kLine) __builtin_prefetch(from + i);
}

// scores = query · keysᵀ of one block, of queries [kFirst, kFirst + kCount); positions that hold nothing yet give
// numbers that nobody reads.
template <class Registers, class Element, int kFirst, int kCount>
[[gnu::always_inline]] inline void score_some(const Problem& problem, const Element* keys, const Element* next_keys) {
  using Floats = typename Elements<Registers>::Floats;
  constexpr std::int64_t kLanes = Registers::kLanes;
  constexpr int kParts = static_cast<int>(kBlockTokens / kLanes);
  Floats sums[kCount][kParts]{};
  for (std::int64_t d = 0; d < problem.head_dim; ++d) {
    if constexpr (kFirst == 0) prefetch(next_keys + d * kBlockTokens, kBlockTokens);
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      Floats key;
      Elements<Registers>::load(keys + d * kBlockTokens + part * kLanes, key);
#pragma GCC unroll 8
      for (int q = 0; q < kCount; ++q)
        sums[q][part] += key * problem.tile->queries[static_cast<std::size_t>(kFirst + q)][d];
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kCount; ++q) {
    Floats* target = reinterpret_cast<Floats*>(problem.scores + (kFirst + q) * kBlockTokens);
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) target[part] = sums[q][part];
  }
}

template <class Registers, class Element, int kCount, int kFirst = 0>
[[gnu::always_inline]] inline void score(const Problem& problem, const Element* keys, const Element* next_keys) {
  if constexpr (kFirst < kCount) {
    constexpr int kSome = kCount - kFirst < Registers::kQueries ? kCount - kFirst : Registers::kQueries;
    score_some<Registers, Element, kFirst, kSome>(problem, keys, next_keys);
    score<Registers, Element, kCount, kFirst + kSome>(problem, keys, next_keys);
  }
}

// Applies the int8 cache's scales: the keys' to scores, the values' to weights.
template <int kCount>
[[gnu::always_inline]] inline void scale_scores(const float* scales, float* scores) {
  for (int q = 0; q < kCount; ++q) {
#pragma omp simd
    for (std::int64_t t = 0; t < kBlockTokens; ++t) scores[q * kBlockTokens + t] *= kCodeUnit * scales[t];
  }
}

// Scores [from, to) of the block become weights e^(score − maximum), the others zero; what is summed so far is brought
// to the new maximum.
[[gnu::always_inline]] inline void weigh(float* scores, std::int64_t from, std::int64_t to, std::int64_t padded_dim,
                                         float* sums, Softmax& softmax) {
  float maximum = softmax.maximum;
  if (from == 0 && to == kBlockTokens) {
#pragma omp simd reduction(max : maximum)
    for (std::int64_t t = 0; t < kBlockTokens; ++t) maximum = scores[t] > maximum ? scores[t] : maximum;
  } else {
    for (std::int64_t t = from; t < to; ++t) maximum = scores[t] > maximum ? scores[t] : maximum;
  }
  if (maximum > softmax.maximum) {
    const float factor = exponential(softmax.maximum - maximum);
    float* const lanes = softmax.sums;
#pragma omp simd
    for (std::int64_t d = 0; d < padded_dim; ++d) sums[d] *= factor;
#pragma omp simd
    for (std::int64_t i = 0; i < kSumLanes; ++i) lanes[i] *= factor;
    softmax.maximum = maximum;
  }
  const auto first = static_cast<std::int32_t>(from), end = static_cast<std::int32_t>(to);
#pragma omp simd
  for (std::int32_t t = 0; t < std::int32_t{kBlockTokens}; ++t)
    scores[t] = t >= first && t < end ? exponential(scores[t] - maximum) : 0.0f;
#pragma omp simd
  for (std::int64_t i = 0; i < kSumLanes; ++i) softmax.sums[i] += scores[i] + scores[kSumLanes + i];
}

[[gnu::always_inline]] inline float sum_of(const float* lanes) {
  float sum = 0;
  for (std::int64_t i = 0; i < kSumLanes; ++i) sum += lanes[i];
  return sum;
}

// sums += weights · values of positions [from, to) of one block, kColumns of them at a time, for queries
// [kFirst, kFirst + kCount).
template <class Registers, class Element, int kColumns, int kFirst, int kCount>
[[gnu::always_inline]] inline void accumulate_some(const Problem& problem, const Element* values,
                                                   const Element* next_values, std::int64_t from, std::int64_t to,
                                                   std::int64_t column) {
  using Floats = typename Elements<Registers>::Floats;
  constexpr std::int64_t kLanes = Registers::kLanes;
  constexpr int kParts = static_cast<int>(kColumns / kLanes);
  Floats sums[kCount][kParts];
#pragma GCC unroll 8
  for (int q = 0; q < kCount; ++q) {
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      const float* before = problem.sums + (kFirst + q) * problem.padded_dim + column + part * kLanes;
      Elements<Registers>::load(before, sums[q][part]);
    }
  }
  for (std::int64_t t = from; t < to; ++t) {
    if constexpr (kFirst == 0) prefetch(next_values + t * problem.padded_dim + column, kColumns);
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      Floats value;
      Elements<Registers>::load(values + t * problem.padded_dim + column + part * kLanes, value);
#pragma GCC unroll 8
      for (int q = 0; q < kCount; ++q) sums[q][part] += value * problem.scores[(kFirst + q) * kBlockTokens + t];
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kCount; ++q) {
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      float* target = problem.sums + (kFirst + q) * problem.padded_dim + column + part * kLanes;
      *reinterpret_cast<Floats*>(target) = sums[q][part];
    }
  }
}

template <class Registers, class Element, int kColumns, int kCount, int kFirst = 0>
[[gnu::always_inline]] inline void accumulate(const Problem& problem, const Element* values, const Element* next_values,
                                              std::int64_t from, std::int64_t to, std::int64_t column) {
  if constexpr (kFirst < kCount) {
    constexpr int kSome = kCount - kFirst < Registers::kQueries ? kCount - kFirst : Registers::kQueries;
    accumulate_some<Registers, Element, kColumns, kFirst, kSome>(problem, values, next_values, from, to, column);
    accumulate<Registers, Element, kColumns, kCount, kFirst + kSome>(problem, values, next_values, from, to, column);
  }
}

template <class Registers, class Element, int kCount>
[[gnu::always_inline]] inline void attend_tile(const Problem& problem) {
  const QueryTile& tile = *problem.tile;
  const std::int64_t dim = problem.head_dim, padded = problem.padded_dim;
  PositionRange all = tile.ranges[0];
  for (std::size_t q = 1; q < kCount; ++q) {
    all.first = std::min(all.first, tile.ranges[q].first);
    all.end = std::max(all.end, tile.ranges[q].end);
  }
  Softmax softmax[kCount];
  std::memset(problem.sums, 0, sizeof(float) * static_cast<std::size_t>(kCount * padded));
  for (std::int64_t start = all.first / kBlockTokens * kBlockTokens; start < all.end; start += kBlockTokens) {
    const std::int64_t block = problem.blocks[start / kBlockTokens];
    const auto* keys = reinterpret_cast<const Element*>(problem.plane.keys) + block * kBlockTokens * dim;
    const auto* values = reinterpret_cast<const Element*>(problem.plane.values) + block * kBlockTokens * padded;
    const std::int64_t next = start + kBlockTokens < all.end ? problem.blocks[start / kBlockTokens + 1] : block;
    const auto* next_keys = reinterpret_cast<const Element*>(problem.plane.keys) + next * kBlockTokens * dim;
    const auto* next_values = reinterpret_cast<const Element*>(problem.plane.values) + next * kBlockTokens * padded;
    score<Registers, Element, kCount>(problem, keys, next_keys);
    if constexpr (sizeof(Element) == 1)
      scale_scores<kCount>(problem.plane.key_scales + block * kBlockTokens, problem.scores);
    for (std::int64_t q = 0; q < kCount; ++q) {
      const PositionRange& range = tile.ranges[static_cast<std::size_t>(q)];
      const std::int64_t from = std::max<std::int64_t>(range.first - start, 0);
      const std::int64_t to = std::min(range.end - start, kBlockTokens);
      weigh(problem.scores + q * kBlockTokens, from, to, padded, problem.sums + q * padded, softmax[q]);
    }
    if constexpr (sizeof(Element) == 1)
      scale_scores<kCount>(problem.plane.value_scales + block * kBlockTokens, problem.scores);
    const std::int64_t from = std::max<std::int64_t>(all.first - start, 0);
    const std::int64_t to = std::min(all.end - start, kBlockTokens);
    std::int64_t column = 0;
    for (; column + 2 * kValueLanes <= padded; column += 2 * kValueLanes)
      accumulate<Registers, Element, 2 * kValueLanes, kCount>(problem, values, next_values, from, to, column);
    if (column < padded)
      accumulate<Registers, Element, kValueLanes, kCount>(problem, values, next_values, from, to, column);
  }
  for (std::int64_t q = 0; q < kCount; ++q) {
    const float scale = 1.0f / sum_of(softmax[q].sums);
    float* out = tile.out[static_cast<std::size_t>(q)];
    for (std::int64_t d = 0; d < dim; ++d) out[d] = problem.sums[q * padded + d] * scale;
  }
}

// One function per processor level, element and count of queries: GCC needs several times as long where a level is one
// function. Not clones of one (multiversion.h): the registers decide how it is written.
using Attend = void (*)(const Problem&);

struct Anywhere {
  template <class Element, int kCount>
  static void attend(const Problem& problem) {
    attend_tile<AnyRegisters, Element, kCount>(problem);
  }
};

#if defined(__x86_64__)
struct OnAvx2 {
  template <class Element, int kCount>
  [[gnu::target("arch=x86-64-v3")]] static void attend(const Problem& problem) {
    attend_tile<Avx2Registers, Element, kCount>(problem);
  }
};

struct OnAvx512 {
  template <class Element, int kCount>
  [[gnu::target("arch=x86-64-v4")]] static void attend(const Problem& problem) {
    attend_tile<Avx512Registers, Element, kCount>(problem);
  }
};
#endif

template <class Level, class Element, int... kBefore>
constexpr std::array<Attend, kQueryTile> by_count(std::integer_sequence<int, kBefore...>) {
  return {Level::template attend<Element, kBefore + 1>...};
}

template <class Level>
void attend_on(const Problem& problem, KvType type) {
  constexpr std::make_integer_sequence<int, static_cast<int>(kQueryTile)> counts;
  static constexpr auto floats = by_count<Level, float>(counts);
  static constexpr auto halves = by_count<Level, std::uint16_t>(counts);
  static constexpr auto bytes = by_count<Level, std::int8_t>(counts);
  const auto& chosen = type == KvType::bf16 ? halves : type == KvType::int8 ? bytes : floats;
  chosen[static_cast<std::size_t>(problem.tile->count - 1)](problem);
}

auto* attend_here() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return attend_on<OnAvx512>;
  if (__builtin_cpu_supports("x86-64-v3")) return attend_on<OnAvx2>;
#endif
  return attend_on<Anywhere>;
}

std::int64_t padded(std::int64_t head_dim) {
  return (head_dim + kValueLanes - 1) / kValueLanes * kValueLanes;
}

}  // namespace

std::int64_t attention_scratch(std::int64_t head_dim) {
  return kQueryTile * (padded(head_dim) + kBlockTokens);
}

void attend(const QueryTile& tile, const KvCache& cache, std::int64_t layer, std::int64_t head, const BlockId* blocks,
            float* scratch) {
  const Problem problem{.tile = &tile,
                        .plane = cache.plane(layer, head),
                        .blocks = blocks,
                        .head_dim = cache.head_dim(),
                        .padded_dim = cache.padded_dim(),
                        .sums = scratch,
                        .scores = scratch + kQueryTile * cache.padded_dim()};
  static auto* const attend_on_this_processor = attend_here();
  attend_on_this_processor(problem, cache.type());
}

}  // namespace retort::runtime
