// Keys and values of every position so far, in the layouts that attend() reads. One sequence; no eviction, no paging.
#pragma once

#include <cstdint>

#include "runtime/aligned_buffer.h"

namespace retort::runtime {

/// Positions in one block of keys: two AVX-512 registers of scores.
inline constexpr std::int64_t kKeyBlock = 32;
/// Values' rows are padded with zeros to a multiple of this.
inline constexpr std::int64_t kValueLanes = 16;

/// f32. Keys stand transposed within blocks, [blocks][head_dim][kKeyBlock], so that scores of neighbouring positions
/// are neighbours; values row-major, [context][padded_dim].
class KvCache {
 public:
  KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context);

  std::int64_t context() const { return context_; }
  std::int64_t head_dim() const { return head_dim_; }
  std::int64_t padded_dim() const { return padded_dim_; }

  const float* keys(std::int64_t layer, std::int64_t head) const {
    return keys_.data() + plane(layer, head) * key_size_;
  }
  const float* values(std::int64_t layer, std::int64_t head) const {
    return values_.data() + plane(layer, head) * value_size_;
  }

  /// Stores one position's key (already rotated) and value · `value_scale`, [head_dim] each.
  void store(std::int64_t layer, std::int64_t head, std::int64_t position, const float* key, const float* value,
             float value_scale);

 private:
  std::int64_t plane(std::int64_t layer, std::int64_t head) const { return layer * kv_heads_ + head; }

  std::int64_t kv_heads_, head_dim_, context_, padded_dim_, key_size_, value_size_;
  AlignedBuffer<float> keys_, values_;
};

}  // namespace retort::runtime
