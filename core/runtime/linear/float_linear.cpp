// Linear layers in f32 and bf16 on oneDNN, one row of bf16 by a row kernel: see float_kernel in linear.h.
#include <algorithm>
#include <cstring>
#include <mutex>

#include "host/base/log.h"
#include "runtime/kernels/bfloat16.h"
#include "runtime/kernels/vector_kernels.h"
#include "runtime/linear/bf16_panels.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/packing.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {
namespace {

/// All about where a packed weight has its elements: "bf16 panels, 448 words", or oneDNN's description of another
/// layout.
std::string layout_text(const dnnl::memory::desc& packed) {
  const std::string type = packed.get_data_type() == dnnl::memory::data_type::bf16 ? "bf16" : "f32";
  if (const std::int64_t stride = panel_stride_words(packed); stride > 0)
    return type + " panels, " + std::to_string(stride) + " words";
  std::string text = type + " blocks";
  for (const dnnl::memory::dims& numbers :
       {packed.get_padded_dims(), packed.get_strides(), packed.get_inner_blks(), packed.get_inner_idxs()}) {
    text += ";";
    for (const dnnl::memory::dim number : numbers) text += " " + std::to_string(number);
  }
  return text;
}

class FloatKernel final : public LinearKernel {
 public:
  FloatKernel(MatmulPool& pool, const LinearWeights& weights, WeightForm form, KernelChoice choice)
      : pool_(pool),
        kernels_(row_kernels_for(pool.onednn().instruction_set())),
        form_(form),
        converted_(weights.form == WeightForm::bf16 && form == WeightForm::f32),
        in_(weights.in),
        matmul_(pool.get({form == WeightForm::bf16 ? Arithmetic::bf16 : Arithmetic::f32, weights.in, weights.out},
                         weights.name)),
        offsets_(matmul_.packed_weight()),
        place_(pool.weights().place(weights.name, layout_text(matmul_.packed_weight()),
                                    static_cast<std::int64_t>(matmul_.packed_weight().get_size()))),
        packed_(place_.data),
        weight_(matmul_.packed_weight(), pool.onednn().engine(), packed_) {
    if (!place_.filled) FloatKernel::repack(weights);
    if (const std::int64_t stride = panel_stride_words(matmul_.packed_weight()); stride > 0) {
      panels_ = {packed_, weights.out, weights.in, stride};
      // One row waits for memory, which the row kernel reads faster than oneDNN; from the caches it is slower
      // (docs/measurements/kernels.md).
      const bool faster = form == WeightForm::bf16 && weights.in * weights.out >= kCachedWeights;
      if (faster && choice == KernelChoice::faster && kernels_.bf16 != nullptr) row_kernel_rows_ = 1;
    }
  }

  void repack(const LinearWeights& weights) override {
    const std::int64_t stride = panel_stride_words(matmul_.packed_weight());
    if (stride == 0) return reorder(weights);
    pack_floats(weights, form_, stride, packed_);
  }

  InputForm input_form() const override {
    return form_ == WeightForm::bf16 && row_kernel_rows_ == 0 ? InputForm::bf16 : InputForm::f32;
  }

  void finish_row(const Activation& in, std::int64_t row, std::int64_t rows, float) const override {
    in.row_scales[row] = 1.0f;
    if (form_ == WeightForm::bf16 && rows > row_kernel_rows_)
      round_to_bfloat16(in.values + row * in_, in_, in.halves + row * in_);
  }

  void run(const LinearProduct& product) const override {
    if (product.rows <= row_kernel_rows_) return run_bf16_panels(kernels_, panels_, product);
    product.preparation();
    const Activation& in = product.in;
    const void* source = form_ == WeightForm::bf16 ? static_cast<const void*>(in.halves) : in.values;
    matmul_.execute(pool_.onednn().stream(), product.rows, source, weight_, {}, product.out, pool_.scratchpad());
  }

  void look_up(std::int64_t row, float* target) const override {
    for (std::int64_t i = 0; i < in_; ++i) {
      if (form_ == WeightForm::bf16) {
        std::uint16_t half = 0;
        std::memcpy(&half, packed_ + 2 * offsets_.at(i, row), sizeof(half));
        target[i] = from_bfloat16(half);
      } else {
        std::memcpy(target + i, packed_ + 4 * offsets_.at(i, row), sizeof(float));
      }
    }
  }

  std::string implementation() const override {
    if (row_kernel_rows_ > 0)
      return "retort:avx2, activations in f32, from " + std::to_string(row_kernel_rows_ + 1) + " rows " +
             matmul_.implementation();
    return matmul_.implementation() + (converted_ ? ", in f32 (no bf16 products on this processor)" : "");
  }

 private:
  /// Into a layout that pack_floats does not know, through a second copy.
  void reorder(const LinearWeights& weights) {
    require_finite(weights);
    std::vector<float> values = dequantized(weights);
    // Row-major [out,in] is [in,out] with unit stride along `in`.
    const dnnl::memory::desc plain({weights.in, weights.out}, dnnl::memory::data_type::f32,
                                   dnnl::memory::dims{1, weights.in});
    dnnl::memory source(plain, pool_.onednn().engine(), values.data());
    dnnl::stream stream = pool_.onednn().stream();
    dnnl::reorder(source, weight_).execute(stream, source, weight_);
    stream.wait();
  }

  MatmulPool& pool_;
  const RowKernels& kernels_;
  WeightForm form_;
  bool converted_;
  std::int64_t in_;
  const Matmul& matmul_;
  WeightOffsets offsets_;
  PackedPlace place_;
  std::byte* packed_;  // the pool's
  dnnl::memory weight_;
  Bf16Panels panels_;                 // the same, if it is bf16 in this layout
  std::int64_t row_kernel_rows_ = 0;  // then
};

}  // namespace

std::unique_ptr<LinearKernel> float_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
  const bool stored_bf16 = weights.form == WeightForm::bf16, bf16 = stored_bf16 && pool.onednn().multiplies_bf16();
  // On oneDNN as f32 it would take twice the memory.
  if (stored_bf16 && (!bf16 || choice == KernelChoice::row_kernels))
    if (std::unique_ptr<LinearKernel> kernel = bf16_panel_kernel(pool, weights, choice)) return kernel;
  if (stored_bf16 && !bf16) {
    static std::once_flag warned;
    std::call_once(warned, [] {
      host::log_warning(
          "bf16 weights are multiplied in f32, which takes twice their memory: this processor has no bf16 products");
    });
  }
  return std::make_unique<FloatKernel>(pool, weights, bf16 ? WeightForm::bf16 : WeightForm::f32, choice);
}

}  // namespace retort::runtime
