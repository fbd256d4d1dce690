// See kv_cache.h.
#include "runtime/kv_cache.h"

namespace retort::runtime {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

KvCache::KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context)
    : kv_heads_(kv_heads),
      head_dim_(head_dim),
      context_(context),
      padded_dim_(round_up(head_dim, kValueLanes)),
      key_size_(round_up(context, kKeyBlock) * head_dim),
      value_size_(context * padded_dim_),
      keys_(layers * kv_heads * key_size_),
      values_(layers * kv_heads * value_size_) {}

void KvCache::store(std::int64_t layer, std::int64_t head, std::int64_t position, const float* key, const float* value,
                    float value_scale) {
  float* key_column = keys_.data() + plane(layer, head) * key_size_ + position / kKeyBlock * kKeyBlock * head_dim_ +
                      position % kKeyBlock;
  for (std::int64_t d = 0; d < head_dim_; ++d) key_column[d * kKeyBlock] = key[d];
  float* value_row = values_.data() + plane(layer, head) * value_size_ + position * padded_dim_;
  for (std::int64_t d = 0; d < head_dim_; ++d) value_row[d] = value[d] * value_scale;
}

}  // namespace retort::runtime
