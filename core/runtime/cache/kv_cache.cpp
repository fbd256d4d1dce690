// See kv_cache.h.
#include "runtime/cache/kv_cache.h"

#include <algorithm>
#include <stdexcept>

#include "runtime/kernels/bfloat16.h"
#include "runtime/kernels/exponential.h"
#include "runtime/kernels/multiversion.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::int64_t element_bytes(KvType type) {
  switch (type) {
    case KvType::f32:
      return 4;
    case KvType::bf16:
      return 2;
    case KvType::int8:
      return 1;
    case KvType::automatic:
      break;
  }
  throw std::invalid_argument("kv_cache: expected f32, bf16 or int8, found automatic");
}

/// The largest code is 127; a vector of zeros has scale 0.
struct Int8Scale {
  explicit Int8Scale(float maximum)
      : zero(!(maximum > 1e-36f)),  // 127 / maximum overflows below this
        inverse(zero ? 0.0f : 127.0f / maximum),
        scale(zero ? 0.0f : maximum / 127.0f) {}
  bool zero;
  float inverse, scale;
};

RETORT_MULTIVERSION
void store_f32(const float* key, const float* value, float scale, std::int64_t dim, float* column, float* row) {
  for (std::int64_t d = 0; d < dim; ++d) column[d * kBlockTokens] = key[d];
  for (std::int64_t d = 0; d < dim; ++d) row[d] = value[d] * scale;
}

RETORT_MULTIVERSION
void store_bf16(const float* key, const float* value, float scale, std::int64_t dim, std::uint16_t* column,
                std::uint16_t* row) {
  for (std::int64_t d = 0; d < dim; ++d) column[d * kBlockTokens] = to_bfloat16(key[d]);
  for (std::int64_t d = 0; d < dim; ++d) row[d] = to_bfloat16(value[d] * scale);
}

RETORT_MULTIVERSION
void store_int8(const float* key, const float* value, float key_inverse, float value_inverse, std::int64_t dim,
                std::int8_t* column, std::int8_t* row) {
  for (std::int64_t d = 0; d < dim; ++d)
    column[d * kBlockTokens] = static_cast<std::int8_t>(round_to_int(key[d] * key_inverse));
  for (std::int64_t d = 0; d < dim; ++d) row[d] = static_cast<std::int8_t>(round_to_int(value[d] * value_inverse));
}

}  // namespace

KvCache::KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t blocks, KvType type)
    : kv_heads_(kv_heads),
      head_dim_(head_dim),
      padded_dim_(round_up(head_dim, kValueLanes)),
      blocks_(blocks),
      type_(type),
      element_(element_bytes(type)),
      keys_(layers * kv_heads * blocks * kBlockTokens * head_dim_ * element_),
      values_(layers * kv_heads * blocks * kBlockTokens * padded_dim_ * element_) {
  if (type != KvType::int8) return;
  key_scales_ = AlignedBuffer<float>(layers * kv_heads * blocks * kBlockTokens);
  value_scales_ = AlignedBuffer<float>(layers * kv_heads * blocks * kBlockTokens);
}

std::int64_t KvCache::bytes_per_token() const {
  return (keys_.size() + values_.size() + 4 * (key_scales_.size() + value_scales_.size())) / (blocks_ * kBlockTokens);
}

KvCache::Plane KvCache::plane(std::int64_t layer, std::int64_t head) const {
  const std::int64_t token = (layer * kv_heads_ + head) * blocks_ * kBlockTokens;
  Plane plane{keys_.data() + token * head_dim_ * element_, values_.data() + token * padded_dim_ * element_};
  if (type_ != KvType::int8) return plane;
  plane.key_scales = key_scales_.data() + token;
  plane.value_scales = value_scales_.data() + token;
  return plane;
}

void KvCache::store(std::int64_t layer, std::int64_t head, RowPlace place, const float* key, const float* value,
                    float value_scale) {
  const std::int64_t block = (layer * kv_heads_ + head) * blocks_ + place.blocks[place.position / kBlockTokens];
  const std::int64_t slot = place.position % kBlockTokens;
  std::byte* column = keys_.data() + (block * kBlockTokens * head_dim_ + slot) * element_;
  std::byte* row = values_.data() + (block * kBlockTokens + slot) * padded_dim_ * element_;
  if (type_ == KvType::f32) {
    store_f32(key, value, value_scale, head_dim_, reinterpret_cast<float*>(column), reinterpret_cast<float*>(row));
  } else if (type_ == KvType::bf16) {
    store_bf16(key, value, value_scale, head_dim_, reinterpret_cast<std::uint16_t*>(column),
               reinterpret_cast<std::uint16_t*>(row));
  } else {
    const Int8Scale keys(max_abs(key, head_dim_)), values(max_abs(value, head_dim_));
    store_int8(key, value, keys.inverse, values.inverse, head_dim_, reinterpret_cast<std::int8_t*>(column),
               reinterpret_cast<std::int8_t*>(row));
    key_scales_.data()[block * kBlockTokens + slot] = keys.scale;
    value_scales_.data()[block * kBlockTokens + slot] = values.scale * value_scale;
  }
}

void KvCache::copy_block(BlockId from, BlockId to) {
  const std::int64_t key_bytes = kBlockTokens * head_dim_ * element_;
  const std::int64_t value_bytes = kBlockTokens * padded_dim_ * element_;
  const std::int64_t planes = keys_.size() / (blocks_ * key_bytes);
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    const std::int64_t source = plane * blocks_ + from, target = plane * blocks_ + to;
    std::copy_n(keys_.data() + source * key_bytes, key_bytes, keys_.data() + target * key_bytes);
    std::copy_n(values_.data() + source * value_bytes, value_bytes, values_.data() + target * value_bytes);
    if (type_ != KvType::int8) continue;
    for (AlignedBuffer<float>* scales : {&key_scales_, &value_scales_})
      std::copy_n(scales->data() + source * kBlockTokens, kBlockTokens, scales->data() + target * kBlockTokens);
  }
}

KvType concrete(KvType type, std::int64_t parameters) {
  if (type != KvType::automatic) return type;
  return parameters < kBf16Parameters ? KvType::f32 : KvType::bf16;
}

}  // namespace retort::runtime
