// Single linear layers with random weights in memory, for tests and benchmarks of the kernels.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "runtime/decoder/weights.h"

namespace retort::runtime::testing {

/// Owns the tensors that a LinearWeights borrows. Neither moves nor copies.
class RandomLinear {
 public:
  /// f32 and bf16: normal, standard deviation 1/sqrt(in). int8: codes in [−128, 127], scales in [0.001, 0.02].
  RandomLinear(WeightForm form, std::int64_t in, std::int64_t out, std::mt19937& random);
  /// int4: codes in [−8, 7], scales as above in `scale_type`; `group` 0: one scale a row.
  RandomLinear(std::int64_t in, std::int64_t out, std::int64_t group, model::DataType scale_type, std::mt19937& random);
  RandomLinear(const RandomLinear&) = delete;
  RandomLinear& operator=(const RandomLinear&) = delete;

  /// Zero points in [−8, 7] for every group of an int4 weight.
  void make_asymmetric(std::mt19937& random);
  /// Every third scale, an f32, is negative.
  void negate_some_scales();

  LinearWeights weights() const { return join("test.linear", "test", {weight_}); }
  const model::LinearWeight& weight() const { return weight_; }
  /// Less their zero points, where there are any: in [−15, 15] then.
  std::vector<std::int8_t> codes() const;
  std::vector<float> scales() const { return model::to_f32(*weight_.scale); }
  std::vector<float> values() const { return model::to_f32(weight_); }  ///< dequantised

 private:
  void* own(model::StoredTensor& tensor, model::DataType type, std::vector<std::int64_t> shape);
  void make_scales(std::vector<std::int64_t> shape, model::DataType type, std::mt19937& random);

  std::deque<std::vector<std::byte>> owned_;
  model::StoredTensor tensor_, scale_, zero_point_;
  model::LinearWeight weight_;
};

struct WideCodes {
  std::vector<std::int32_t> codes;
  float scale = 0;
};

/// The codes of 15 bits that quantize_row_wide makes of a row; its own test says that they are right.
WideCodes wide_codes(const std::vector<float>& x);

}  // namespace retort::runtime::testing
