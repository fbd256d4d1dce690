// One linear layer without bias: weights packed at load, then y = x · Wᵀ for any number of rows, f32 or int8.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/matmul.h"
#include "runtime/weights.h"

namespace retort::runtime {

/// The input rows of a linear layer, owned by the caller's workspace. An f32 layer reads `values` [rows,in]; an int8
/// one reads `codes` [rows,in], where x = code · row_scale; one with codes_as_f32(), the codes as f32 in `values`. All
/// buffers hold row_bucket(rows) rows.
struct Activation {
  float* values = nullptr;
  std::int8_t* codes = nullptr;
  float* row_scales = nullptr;  ///< [rows]; 1 where the layer is f32
};

/// Immutable after construction; shares the pool's scratchpad, so layers of one pool are used by one thread.
class Linear {
 public:
  /// Packs the weights into oneDNN's layout; `pool` must outlive the layer. Errors as Matmul.
  Linear(MatmulPool& pool, const LinearWeights& weights);

  std::int64_t in() const { return shape_.in; }
  std::int64_t out() const { return shape_.out; }
  bool quantized() const { return shape_.arithmetic == Arithmetic::int8; }
  /// An int8 layer on a processor whose int8 sums are not exact: it multiplies the same codes in f32, so that a model
  /// answers the same everywhere.
  bool codes_as_f32() const { return quantized() && kernel_shape_.arithmetic == Arithmetic::f32; }

  /// out [row_bucket(rows), out()]. The true result is out · row_scales: oneDNN 3.7 accepts a per-row source scale and
  /// ignores it, so the pass that reads `out` applies it.
  void run(std::int64_t rows, const Activation& in, float* out) const;
  std::string implementation() const;  ///< "down_proj int8 [out,in]: <impl_info_str>"

 private:
  std::string name_;
  MatmulShape shape_;         // as stored
  MatmulShape kernel_shape_;  // as multiplied
  MatmulPool& pool_;
  const Matmul& matmul_;
  dnnl::memory weight_;
  dnnl::memory scales_;
};

}  // namespace retort::runtime
