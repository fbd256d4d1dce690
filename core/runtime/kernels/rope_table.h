// Cosines and sines of the rotary embedding for every position, computed once in double.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/kernels/aligned_buffer.h"

namespace retort::runtime {

/// Row `position` holds factor · cos and factor · sin of position · frequencies[i], i < d/2.
class RopeTable {
 public:
  /// `frequencies` [d/2] in radians per position (model::rope_frequencies); `factor`: YaRN's attention factor, else 1.
  RopeTable(std::int64_t positions, const std::vector<double>& frequencies, double factor);
  const float* cosine(std::int64_t position) const { return cosine_.data() + position * half_; }
  const float* sine(std::int64_t position) const { return sine_.data() + position * half_; }

 private:
  std::int64_t half_;
  AlignedBuffer<float> cosine_, sine_;
};

}  // namespace retort::runtime
