// Cosines and sines of the rotary embedding for every position, computed once in double. No frequency scaling.
#pragma once

#include <cstdint>

#include "runtime/aligned_buffer.h"

namespace retort::runtime {

/// Row `position` holds cos and sin of position · theta^(−2i/d) for i < d/2.
class RopeTable {
 public:
  RopeTable(std::int64_t positions, std::int64_t head_dim, double theta);
  const float* cosine(std::int64_t position) const { return cosine_.data() + position * half_; }
  const float* sine(std::int64_t position) const { return sine_.data() + position * half_; }

 private:
  std::int64_t half_;
  AlignedBuffer<float> cosine_, sine_;
};

}  // namespace retort::runtime
