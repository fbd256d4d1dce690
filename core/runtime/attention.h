// Attention of one query head over the cached positions. Causality is the caller's: it passes how many positions count.
#pragma once

#include <cstdint>

#include "runtime/kv_cache.h"

namespace retort::runtime {

/// Floats that attend() needs as scratch, 64-byte aligned.
std::int64_t attention_scratch(std::int64_t context);

/// Positions [first, end) of a sequence, at least one.
struct PositionRange {
  std::int64_t first = 0;
  std::int64_t end = 0;
};

/// out[head_dim] = softmax(query · keysᵀ) · values over the positions of `range`. `query` [head_dim] is rotated and
/// already divided by sqrt(head_dim). `head` is the key/value head.
void attend(const float* query, const KvCache& cache, std::int64_t layer, std::int64_t head, PositionRange range,
            float* scratch, float* out);

}  // namespace retort::runtime
