// One linear layer without bias: weights packed at load, then y = x · Wᵀ for any number of rows. Which kernel runs is
// chosen from the weight's form, its shape and the processor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/decoder/weights.h"
#include "runtime/linear/matmul.h"
#include "runtime/linear/outliers.h"
#include "runtime/linear/preparation.h"

namespace retort::runtime {

/// The form in which a linear layer reads its input rows.
enum class InputForm {
  f32,        ///< Activation::values
  bf16,       ///< Activation::halves, rounded to the nearest, half to even
  int8_rows,  ///< Activation::codes of 8 bits, one scale per row, and its outliers
  wide_rows,  ///< Activation::codes of 15 bits in two int8 planes, one scale per row: next to float
};

/// The input rows of a linear layer, owned by the caller's workspace, which sizes every buffer for row_bucket(rows)
/// rows of the widest layer. A row is prepared in `values` [rows,in] and brought into the layer's form by
/// Linear::finish_row, which alone knows how the other buffers are laid out.
struct Activation {
  float* values = nullptr;             ///< stay as they are until the layer has run
  std::int8_t* codes = nullptr;        ///< code_bytes(in) per row
  float* row_scales = nullptr;         ///< [rows]; 1 where `run` gives final values
  std::uint16_t* halves = nullptr;     ///< [rows,in], bf16
  std::int32_t* group_sums = nullptr;  ///< group_sums_of(in) per row: the sum of a plane's codes in a group
  std::int32_t* outliers = nullptr;    ///< outliers_of(in) per row (outliers.h)

  /// What a workspace holds per row of a layer of this width, whatever its form.
  static std::int64_t code_bytes(std::int64_t in) { return kPlanes * padded(in); }
  static std::int64_t group_sums_of(std::int64_t in) { return kPlanes * padded(in) / kSmallestGroup; }

 private:
  static std::int64_t padded(std::int64_t in) { return (in + kLargestGroup - 1) / kLargestGroup * kLargestGroup; }
  static constexpr std::int64_t kPlanes = 2, kSmallestGroup = 32, kLargestGroup = 128;
};

/// Who multiplies.
enum class KernelChoice {
  faster,       ///< by the number of rows, as measured (tests/bench/linear_benchmark)
  row_kernels,  ///< for any number of rows: tests and benchmarks
  onednn,       ///< for any number of rows, where it can
};

/// One product: see Linear::run.
struct LinearProduct {
  std::int64_t rows = 0;
  const Activation& in;
  float* out = nullptr;
  Preparation preparation;  ///< to be called once, before anything of `in` is read; empty if there are several rows
  bool scaled = false;      ///< out becomes the true result
};

/// What a layer does with its weight in one form. Immutable but for repack().
class LinearKernel {
 public:
  LinearKernel() = default;
  virtual ~LinearKernel() = default;
  LinearKernel(const LinearKernel&) = delete;
  LinearKernel& operator=(const LinearKernel&) = delete;

  virtual InputForm input_form() const = 0;
  virtual void finish_row(const Activation& in, std::int64_t row, std::int64_t rows, float maximum) const = 0;
  virtual void run(const LinearProduct& product) const = 0;
  virtual void look_up(std::int64_t row, float* target) const = 0;
  /// See Linear::repack. The weights are of the same form and shape.
  virtual void repack(const LinearWeights& weights);
  virtual std::string implementation() const = 0;
};

/// Immutable but for repack(); shares the pool's scratchpad, so layers of one pool are used by one thread.
class Linear {
 public:
  /// Packs the weights and gives back the pages of the file that they came from; `pool` must outlive the layer. Errors
  /// as Matmul and require_finite.
  Linear(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice = KernelChoice::faster);

  std::int64_t in() const { return in_; }
  std::int64_t out() const { return out_; }
  InputForm input_form() const { return kernel_->input_form(); }  ///< of few rows
  /// Whether finish_row may need the row's maximum.
  bool quantized() const { return input_form() == InputForm::int8_rows || input_form() == InputForm::wide_rows; }

  /// Row `row` of the `rows` that run() will get is complete in in.values, and max |value| is `maximum` (only read if
  /// quantized()): brings it into the form in which this layer multiplies so many, and sets its row_scale. Different
  /// rows may be finished by different threads.
  void finish_row(const Activation& in, std::int64_t row, std::int64_t rows, float maximum) const {
    kernel_->finish_row(in, row, rows, maximum);
  }
  /// out [row_bucket(rows), out()]. The true result is out · row_scales: oneDNN 3.7 accepts a per-row source scale and
  /// ignores it, so the pass that reads `out` applies it. `preparation` is what finishes the rows, if they are not: of
  /// one row, whose preparation must not fork, it runs while the other threads fetch weights from memory.
  void run(std::int64_t rows, const Activation& in, float* out, const Preparation& preparation = {}) const {
    run(LinearProduct{rows, in, out, preparation, false});
  }
  /// The same, but out is the true result.
  void run_scaled(std::int64_t rows, const Activation& in, float* out, const Preparation& preparation = {}) const {
    run(LinearProduct{rows, in, out, preparation, true});
  }
  /// Row `row` of the weight as f32 [in()]: a tied embedding needs no second copy.
  void look_up(std::int64_t row, float* target) const { kernel_->look_up(row, target); }
  /// Other weights of the same form and shape, float or bf16, take the place of those in use. Throws
  /// std::invalid_argument naming the layer where they differ or are quantised, and as require_finite.
  void repack(const LinearWeights& weights);
  std::string implementation() const;  ///< "down_proj int8 [out,in]: <what runs>"

 private:
  void run(LinearProduct product) const;

  std::string name_;
  std::int64_t in_, out_;
  WeightForm form_;
  std::unique_ptr<LinearKernel> kernel_;
};

/// f32 or bf16 on oneDNN; on processors without bf16 products bf16 as bf16_panel_kernel has it, or in f32 if it has
/// not.
std::unique_ptr<LinearKernel> float_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice);
/// bf16 as it is stored, times f32: by a row kernel, and where there is AVX-512 many rows by oneDNN in f32, block by
/// block of weights unpacked for the purpose. Null if this processor has none of what is asked for.
std::unique_ptr<LinearKernel> bf16_panel_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice);
/// A few rows by a row kernel where that is faster, more on oneDNN, with the same bits; all of them by a row kernel
/// where oneDNN's int8 sums are not exact (no VNNI), or where its layout is another. Rows are int8_rows where the
/// weight asks for int8 activations, to whose product that of outliers is added; else wide_rows, which oneDNN
/// multiplies as twice as many rows.
std::unique_ptr<LinearKernel> int8_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice);
/// By a row kernel, as wide_rows; without VNNI many rows by oneDNN, in f32, block by block of weights unpacked for the
/// purpose, where its layout is known.
std::unique_ptr<LinearKernel> int4_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice);

}  // namespace retort::runtime
