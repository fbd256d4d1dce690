// See attention.h. Written with vector types because the partial sums must stay in registers across the inner loops,
// which plain arrays do not promise; the compiler lowers them to what each processor level has.
#include "runtime/attention.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/exponential.h"
#include "runtime/multiversion.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kLanes = 16;
static_assert(kBlockTokens == 2 * kLanes && kValueLanes == kLanes);

using Lanes = float __attribute__((vector_size(64), may_alias));
using IntegerLanes = std::int32_t __attribute__((vector_size(64), may_alias));
using HalfLanes = std::uint16_t __attribute__((vector_size(32), may_alias));
using ByteLanes = std::int8_t __attribute__((vector_size(16), may_alias));

// A zero below each half. GCC 14 takes the widening of integers apart, but not a permutation.
[[gnu::always_inline]] inline void widen(const HalfLanes& halves, void* lanes) {
  const auto pairs = __builtin_shufflevector(HalfLanes{}, halves, 0, 16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0,
                                             23, 0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31);
  std::memcpy(lanes, &pairs, sizeof(pairs));
}

// Sixteen cache elements as f32. Results by reference: returning vectors would depend on the processor level's calling
// convention.
[[gnu::always_inline]] inline void load(const float* from, Lanes& to) {
  to = *reinterpret_cast<const Lanes*>(from);
}
[[gnu::always_inline]] inline void load(const std::uint16_t* from, Lanes& to) {
  widen(*reinterpret_cast<const HalfLanes*>(from), &to);
}
// int8: without their scale, and 2²⁴ times as large, since each stands in the highest byte of its lane.
constexpr float kCodeUnit = 0x1p-24f;
[[gnu::always_inline]] inline void load(const std::int8_t* from, Lanes& to) {
  const ByteLanes codes = *reinterpret_cast<const ByteLanes*>(from);
  const auto bytes = __builtin_shufflevector(ByteLanes{}, codes, 0, 16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0, 23,
                                             0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31);
  HalfLanes halves;
  std::memcpy(&halves, &bytes, sizeof(halves));
  IntegerLanes lanes;
  widen(halves, &lanes);
  to = __builtin_convertvector(lanes, Lanes);
}

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
  Lanes sums{};  // of the weights, every sixteenth position in one
};

// Fetches `lanes` elements of the next block while those of this one are used. The processor's own prefetching stops at
// the ends of pages, and a block of 64 bf16 columns is one.
template <class Element>
[[gnu::always_inline]] inline void prefetch(const Element* from, std::int64_t lanes) {
  constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(Element));
  for (std::int64_t i = 0; i < lanes; i += kLine) __builtin_prefetch(from + i);
}

// scores = query · keysᵀ of one block; positions that hold nothing yet give numbers that nobody reads.
template <class Element, int kCount>
[[gnu::always_inline]] inline void score(const Problem& problem, const Element* keys, const Element* next_keys) {
  Lanes low[kCount]{}, high[kCount]{};
  for (std::int64_t d = 0; d < problem.head_dim; ++d) {
    prefetch(next_keys + d * kBlockTokens, kBlockTokens);
    Lanes first, second;
    load(keys + d * kBlockTokens, first);
    load(keys + d * kBlockTokens + kLanes, second);
#pragma GCC unroll 8
    for (int q = 0; q < kCount; ++q) {
      const float query = problem.tile->queries[static_cast<std::size_t>(q)][d];
      low[q] += first * query;
      high[q] += second * query;
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kCount; ++q) {
    Lanes* target = reinterpret_cast<Lanes*>(problem.scores + q * kBlockTokens);
    target[0] = low[q];
    target[1] = high[q];
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
#pragma omp simd
    for (std::int64_t d = 0; d < padded_dim; ++d) sums[d] *= factor;
    softmax.sums *= factor;
    softmax.maximum = maximum;
  }
  const auto first = static_cast<std::int32_t>(from), end = static_cast<std::int32_t>(to);
#pragma omp simd
  for (std::int32_t t = 0; t < std::int32_t{kBlockTokens}; ++t)
    scores[t] = t >= first && t < end ? exponential(scores[t] - maximum) : 0.0f;
  const auto* weights = reinterpret_cast<const Lanes*>(scores);
  softmax.sums += weights[0] + weights[1];
}

[[gnu::always_inline]] inline float sum_of(const Lanes& lanes) {
  float sum = 0;
  for (std::int64_t i = 0; i < kLanes; ++i) sum += lanes[i];
  return sum;
}

// sums += weights · values of positions [from, to) of one block, kWidth · kLanes columns at a time.
template <class Element, int kCount, int kWidth>
[[gnu::always_inline]] inline void accumulate(const Problem& problem, const Element* values, const Element* next_values,
                                              std::int64_t from, std::int64_t to, std::int64_t column) {
  Lanes sums[kCount][kWidth];
#pragma GCC unroll 8
  for (int q = 0; q < kCount; ++q) {
    for (int w = 0; w < kWidth; ++w) load(problem.sums + q * problem.padded_dim + column + w * kLanes, sums[q][w]);
  }
  for (std::int64_t t = from; t < to; ++t) {
    prefetch(next_values + t * problem.padded_dim + column, kWidth * kLanes);
    Lanes value[kWidth];
    for (int w = 0; w < kWidth; ++w) load(values + t * problem.padded_dim + column + w * kLanes, value[w]);
#pragma GCC unroll 8
    for (int q = 0; q < kCount; ++q) {
      const float weight = problem.scores[q * kBlockTokens + t];
      for (int w = 0; w < kWidth; ++w) sums[q][w] += value[w] * weight;
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kCount; ++q) {
    for (int w = 0; w < kWidth; ++w)
      *reinterpret_cast<Lanes*>(problem.sums + q * problem.padded_dim + column + w * kLanes) = sums[q][w];
  }
}

template <class Element, int kCount>
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
    score<Element, kCount>(problem, keys, next_keys);
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
    for (; column + 2 * kLanes <= padded; column += 2 * kLanes)
      accumulate<Element, kCount, 2>(problem, values, next_values, from, to, column);
    if (column < padded) accumulate<Element, kCount, 1>(problem, values, next_values, from, to, column);
  }
  for (std::int64_t q = 0; q < kCount; ++q) {
    const float scale = 1.0f / sum_of(softmax[q].sums);
    float* out = tile.out[static_cast<std::size_t>(q)];
    for (std::int64_t d = 0; d < dim; ++d) out[d] = problem.sums[q * padded + d] * scale;
  }
}

template <class Element>
[[gnu::always_inline]] inline void attend_any(const Problem& problem) {
  switch (problem.tile->count) {
    case 1:
      return attend_tile<Element, 1>(problem);
    case 2:
      return attend_tile<Element, 2>(problem);
    case 3:
      return attend_tile<Element, 3>(problem);
    case 4:
      return attend_tile<Element, 4>(problem);
    case 5:
      return attend_tile<Element, 5>(problem);
    case 6:
      return attend_tile<Element, 6>(problem);
    case 7:
      return attend_tile<Element, 7>(problem);
    default:
      return attend_tile<Element, 8>(problem);
  }
}

RETORT_MULTIVERSION
void attend_f32(const Problem& problem) {
  attend_any<float>(problem);
}
RETORT_MULTIVERSION
void attend_bf16(const Problem& problem) {
  attend_any<std::uint16_t>(problem);
}
RETORT_MULTIVERSION
void attend_int8(const Problem& problem) {
  attend_any<std::int8_t>(problem);
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
  switch (cache.type()) {
    case KvType::bf16:
      return attend_bf16(problem);
    case KvType::int8:
      return attend_int8(problem);
    default:
      return attend_f32(problem);
  }
}

}  // namespace retort::runtime
