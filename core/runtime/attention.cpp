// See attention.h. Written with vector types because the accumulators must stay in registers across the inner loop,
// which plain arrays do not promise; the compiler lowers them to what each processor level has.
#include "runtime/attention.h"

#include <algorithm>
#include <cmath>

#include "runtime/exponential.h"
#include "runtime/multiversion.h"

namespace retort::runtime {
namespace {

using Lanes = float __attribute__((vector_size(64), may_alias));
constexpr std::int64_t kLanes = 16;
static_assert(kKeyBlock == 2 * kLanes && kValueLanes == kLanes);

// scores[blocks · kKeyBlock] = query · keysᵀ; positions past the end are computed from zeroed or old keys and ignored.
RETORT_MULTIVERSION
void score(const float* query, const float* keys, std::int64_t head_dim, std::int64_t blocks, float* scores) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    const Lanes* key = reinterpret_cast<const Lanes*>(keys + block * head_dim * kKeyBlock);
    Lanes low{}, high{};
    for (std::int64_t d = 0; d < head_dim; ++d) {
      low += key[2 * d] * query[d];
      high += key[2 * d + 1] * query[d];
    }
    Lanes* target = reinterpret_cast<Lanes*>(scores + block * kKeyBlock);
    target[0] = low;
    target[1] = high;
  }
}

// Turns scores into e^(score − maximum); returns their sum.
RETORT_MULTIVERSION
float exponentiate(std::int64_t length, float* scores) {
  float maximum = scores[0];
#pragma omp simd reduction(max : maximum)
  for (std::int64_t t = 0; t < length; ++t) maximum = scores[t] > maximum ? scores[t] : maximum;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t t = 0; t < length; ++t) {
    const float weight = exponential(scores[t] - maximum);
    scores[t] = weight;
    sum += weight;
  }
  return sum;
}

RETORT_MULTIVERSION
void weigh_values(const float* weights, const float* values, std::int64_t length, std::int64_t padded_dim,
                  std::int64_t head_dim, float scale, float* out) {
  for (std::int64_t d = 0; d < head_dim; d += kLanes) {
    Lanes sum{};
    for (std::int64_t t = 0; t < length; ++t) {
      sum += *reinterpret_cast<const Lanes*>(values + t * padded_dim + d) * weights[t];
    }
    sum *= scale;
    const std::int64_t count = std::min(kLanes, head_dim - d);
    for (std::int64_t i = 0; i < count; ++i) out[d + i] = sum[i];
  }
}

std::int64_t key_blocks(std::int64_t length) {
  return (length + kKeyBlock - 1) / kKeyBlock;
}

}  // namespace

std::int64_t attention_scratch(std::int64_t context) {
  return key_blocks(context) * kKeyBlock;
}

void attend(const float* query, const KvCache& cache, std::int64_t layer, std::int64_t head, PositionRange range,
            float* scratch, float* out) {
  const std::int64_t block = range.first / kKeyBlock;  // the scores before `first` in its block are not read
  score(query, cache.keys(layer, head) + block * cache.head_dim() * kKeyBlock, cache.head_dim(),
        key_blocks(range.end) - block, scratch);
  float* scores = scratch + (range.first - block * kKeyBlock);
  const std::int64_t length = range.end - range.first;
  const float sum = exponentiate(length, scores);
  weigh_values(scores, cache.values(layer, head) + range.first * cache.padded_dim(), length, cache.padded_dim(),
               cache.head_dim(), 1.0f / sum, out);
}

}  // namespace retort::runtime
