// The whole model in plain loops: no cache, no oneDNN, the full sequence again at every call. The oracle for tests of
// the decoder, and for anyone who wants to know what the maths is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model_folder.h"
#include "runtime/decoder/weights.h"
#include "runtime/kernels/reference_kernels.h"

namespace retort::runtime {

/// Immutable after construction.
class ReferenceModel {
 public:
  enum class Activations {
    f32,        ///< weights are dequantised, activations stay float: what quantising activations costs is not in it
    as_stored,  ///< layers whose folder asks for int8 activations quantise their input rows and multiply codes
  };

  ReferenceModel(const model::ModelFolder& folder, Activations activations);
  /// Logits [T,V], row-major, of every position of `tokens` (each within the vocabulary).
  std::vector<float> forward_all(std::span<const std::int32_t> tokens) const;

 private:
  struct Weight {
    std::vector<float> values;       // [out,in], dequantised
    std::vector<std::int8_t> codes;  // [out,in], with int8 activations, else empty: w = code · scale of the row
    Row scales;                      // [out]
    std::int64_t out = 0;
  };
  struct Layer {
    Row attention_norm, feed_forward_norm;
    Weight q, k, v, o, gate, up, down;
    Row q_bias, k_bias, v_bias, o_bias;                   // empty: none
    Row query_norm, key_norm;                             // empty: none
    Row attention_output_norm, feed_forward_output_norm;  // empty: none
    std::vector<double> frequencies;                      // radians per position
    double rope_factor = 1;
    std::int64_t window = 0;  // 0: all positions
  };
  static Weight read(const model::LinearWeight& weight);
  Row linear(const Weight& weights, const Row& x) const;
  Row biased(const Weight& weights, const Row& bias, const Row& x) const;
  /// One head of queries or keys as attention reads it.
  Row prepared(const Layer& layer, const Row& projected, std::int64_t head, const Row& norm,
               std::int64_t position) const;
  /// The first `both_ways` rows see each other all.
  std::vector<Row> attention(const Layer& layer, const std::vector<Row>& rows, std::int64_t both_ways) const;
  /// What a block adds: normed where the family does so.
  Row output(const Row& x, const Row& norm) const;
  Row feed_forward(const Layer& layer, const Row& x) const;

  model::ModelConfig config_;
  Activations activations_;
  std::vector<float> embedding_;  // [V,D]
  std::vector<Layer> layers_;
  Row final_norm_;
  Weight head_;
};

}  // namespace retort::runtime
