// Keys and values of every position so far, in blocks of tokens and in the layouts that attend() reads. Which sequence
// owns which block is block_pool.h's and sequences.h's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/kernels/aligned_buffer.h"

namespace retort::runtime {

/// Positions in one block: two AVX-512 registers of scores.
inline constexpr std::int64_t kBlockTokens = 32;
/// Values' rows are padded with zeros to a multiple of this.
inline constexpr std::int64_t kValueLanes = 16;

using BlockId = std::int32_t;

enum class KvType {
  automatic,  ///< f32 below kBf16Parameters parameters, bf16 from there on
  f32,        ///< exact
  bf16,       ///< half the memory; 8 bits of mantissa, rounded to nearest even
  int8,       ///< a quarter; one scale (max / 127) per token and head, for keys and for values
};

/// Below this size a model's cache fits the processor's, and a smaller type saves nothing.
inline constexpr std::int64_t kBf16Parameters = 32'000'000;

/// Where one row of a pass stands: `blocks[position / kBlockTokens]`, element position % kBlockTokens.
struct RowPlace {
  const BlockId* blocks = nullptr;
  std::int64_t position = 0;
  std::int64_t sees = 0;  ///< positions [0, sees) of its sequence
};

/// Within a block, keys stand transposed, [head_dim][kBlockTokens], so that scores of neighbouring positions are
/// neighbours; values row-major, [kBlockTokens][padded_dim]. All blocks of a layer and head are one plane, so a
/// sequence whose blocks follow each other is read as one stream. Memory is committed when a block is first written.
class KvCache {
 public:
  /// `type` is one of the three concrete ones.
  KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t blocks, KvType type);

  KvType type() const { return type_; }
  std::int64_t head_dim() const { return head_dim_; }
  std::int64_t padded_dim() const { return padded_dim_; }
  std::int64_t bytes_per_token() const;  ///< of all layers and heads

  /// Blocks of one layer and head, in elements of type(); scales only for int8.
  struct Plane {
    const std::byte* keys = nullptr;      ///< [blocks][head_dim][kBlockTokens]
    const std::byte* values = nullptr;    ///< [blocks][kBlockTokens][padded_dim]
    const float* key_scales = nullptr;    ///< [blocks][kBlockTokens]
    const float* value_scales = nullptr;  ///< [blocks][kBlockTokens]
  };
  Plane plane(std::int64_t layer, std::int64_t head) const;

  /// Stores one position's key (already rotated) and value · `value_scale`, [head_dim] each. Different positions may be
  /// stored by different threads.
  void store(std::int64_t layer, std::int64_t head, RowPlace place, const float* key, const float* value,
             float value_scale);

  /// Block `to` becomes what `from` is, in all layers and heads.
  void copy_block(BlockId from, BlockId to);

 private:
  std::int64_t kv_heads_, head_dim_, padded_dim_, blocks_;
  KvType type_;
  std::int64_t element_;  // bytes
  AlignedBuffer<std::byte> keys_, values_;
  AlignedBuffer<float> key_scales_, value_scales_;
};

/// What `automatic` means for a model of this many parameters; other types unchanged.
KvType concrete(KvType type, std::int64_t parameters);

}  // namespace retort::runtime
