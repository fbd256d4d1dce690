// One linear layer without bias: weights packed at load, then y = x · Wᵀ for any number of rows, f32 or int8.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/matmul.h"
#include "runtime/weights.h"

namespace retort::runtime {

/// The form in which a linear layer reads its input rows.
enum class InputForm {
  f32,          ///< Activation::values
  bf16,         ///< Activation::halves, rounded to the nearest, half to even
  int8_rows,    ///< Activation::codes, one scale per row; of codes_as_f32(), the codes as f32 in `values`
  int8_groups,  ///< Activation::codes, a scale and a sum per group of K, and row_scale 1
};

/// The input rows of a linear layer, owned by the caller's workspace, which sizes every buffer for row_bucket(rows)
/// rows of the widest layer. A row is prepared in `values` [rows,in] and brought into the layer's form by
/// Linear::finish_row, which alone knows how the other buffers are laid out.
struct Activation {
  float* values = nullptr;
  std::int8_t* codes = nullptr;        ///< code_bytes(in) per row
  float* row_scales = nullptr;         ///< [rows]; 1 where `run` gives final values
  std::uint16_t* halves = nullptr;     ///< [rows,in], bf16
  float* group_scales = nullptr;       ///< scale_groups(in) per row
  std::int32_t* group_sums = nullptr;  ///< scale_groups(in) per row: the sum of a group's codes

  /// What a workspace holds per row of a layer of this width, whatever its form.
  static std::int64_t code_bytes(std::int64_t in) { return (in + kLargestGroup - 1) / kLargestGroup * kLargestGroup; }
  static std::int64_t scale_groups(std::int64_t in) { return code_bytes(in) / kSmallestGroup; }
  static constexpr std::int64_t kSmallestGroup = 32, kLargestGroup = 128;
};

/// Immutable after construction; shares the pool's scratchpad, so layers of one pool are used by one thread.
class Linear {
 public:
  /// Packs the weights into oneDNN's layout; `pool` must outlive the layer. Errors as Matmul.
  Linear(MatmulPool& pool, const LinearWeights& weights);

  std::int64_t in() const { return shape_.in; }
  std::int64_t out() const { return shape_.out; }
  InputForm input_form() const { return quantized() ? InputForm::int8_rows : InputForm::f32; }
  /// Whether finish_row needs the row's maximum.
  bool quantized() const { return shape_.arithmetic == Arithmetic::int8; }
  /// An int8 layer on a processor whose int8 sums are not exact: it multiplies the same codes in f32, so that a model
  /// answers the same everywhere.
  bool codes_as_f32() const { return quantized() && kernel_shape_.arithmetic == Arithmetic::f32; }

  /// Row `row` of in.values is complete and max |value| is `maximum` (only read if quantized()): brings it into this
  /// layer's form and sets its row_scale. Different rows may be finished by different threads.
  void finish_row(const Activation& in, std::int64_t row, float maximum) const;
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
