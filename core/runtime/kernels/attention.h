// Attention of a few queries of one key/value head over cached positions: one pass over keys and values serves them
// all. Causality is the caller's: it says which positions count.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/cache/kv_cache.h"

namespace retort::runtime {

/// Queries that one call handles: their partial sums fit the AVX-512 registers.
inline constexpr std::int64_t kQueryTile = 8;

/// Positions [first, end) of a sequence, at least one.
struct PositionRange {
  std::int64_t first = 0;
  std::int64_t end = 0;
};

/// Queries that look at the same sequence and the same key/value head: the query heads that share it, of one row or of
/// rows that follow each other.
struct QueryTile {
  std::int64_t count = 0;                        ///< 1 to kQueryTile
  std::array<const float*, kQueryTile> queries;  ///< [head_dim] each, rotated and divided by sqrt(head_dim)
  std::array<PositionRange, kQueryTile> ranges;
  std::array<float*, kQueryTile> out;  ///< [head_dim] each
};

/// Floats that attend() needs as scratch, 64-byte aligned.
std::int64_t attention_scratch(std::int64_t head_dim);

/// out = softmax(query · keysᵀ) · values for every query, block by block with a running maximum (Milakov and Gimelshein
/// 2018, https://arxiv.org/abs/1805.02867). What a query gives depends on its own range alone, to the last bit, not on
/// the others of the tile. `blocks` is the sequence's block table.
void attend(const QueryTile& tile, const KvCache& cache, std::int64_t layer, std::int64_t head, const BlockId* blocks,
            float* scratch);

}  // namespace retort::runtime
