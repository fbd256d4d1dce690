// Linear layers in f32 and bf16, on oneDNN: see float_kernel in linear.h.
#include <algorithm>
#include <cstring>
#include <mutex>

#include "host/log.h"
#include "runtime/bfloat16.h"
#include "runtime/linear.h"
#include "runtime/packing.h"
#include "runtime/vector_kernels.h"

namespace retort::runtime {
namespace {

bool has_avx512(const OneDnnEngine& onednn) {
  constexpr unsigned avx512 = dnnl_cpu_isa_avx512_core;
  return (onednn.instruction_set() & avx512) == avx512;
}

class FloatKernel final : public LinearKernel {
 public:
  FloatKernel(MatmulPool& pool, const LinearWeights& weights, WeightForm form)
      : pool_(pool),
        form_(form),
        converted_(weights.form == WeightForm::bf16 && form == WeightForm::f32),
        in_(weights.in),
        matmul_(pool.get({form == WeightForm::bf16 ? Arithmetic::bf16 : Arithmetic::f32, weights.in, weights.out},
                         weights.name)),
        offsets_(matmul_.packed_weight()),
        packed_(pool.weights().take(static_cast<std::int64_t>(matmul_.packed_weight().get_size()))),
        weight_(matmul_.packed_weight(), pool.onednn().engine(), packed_) {
    if (const std::int64_t stride = panel_stride_words(matmul_.packed_weight()); stride > 0) {
      pack_floats(weights, form, stride, packed_);
    } else {
      reorder(weights);
    }
  }

  InputForm input_form() const override { return form_ == WeightForm::bf16 ? InputForm::bf16 : InputForm::f32; }

  void finish_row(const Activation& in, std::int64_t row, std::int64_t, float) const override {
    in.row_scales[row] = 1.0f;
    if (form_ == WeightForm::bf16) round_to_bfloat16(in.values + row * in_, in_, in.halves + row * in_);
  }

  void run(const LinearProduct& product) const override {
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
  WeightForm form_;
  bool converted_;
  std::int64_t in_;
  const Matmul& matmul_;
  WeightOffsets offsets_;
  std::byte* packed_;  // the pool's
  dnnl::memory weight_;
};

}  // namespace

std::unique_ptr<const LinearKernel> float_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
  const bool stored_bf16 = weights.form == WeightForm::bf16, bf16 = stored_bf16 && pool.onednn().multiplies_bf16();
  // With AVX-512 f32 on oneDNN is faster; without, it would read twice the bytes.
  if (stored_bf16 && !has_avx512(pool.onednn()) && choice != KernelChoice::onednn)
    if (std::unique_ptr<const LinearKernel> kernel = bf16_panel_kernel(pool, weights)) return kernel;
  if (stored_bf16 && !bf16) {
    static std::once_flag warned;
    std::call_once(warned, [] {
      host::log_warning(
          "bf16 weights are multiplied in f32, which takes twice their memory: this processor has no bf16 products");
    });
  }
  return std::make_unique<FloatKernel>(pool, weights, bf16 ? WeightForm::bf16 : WeightForm::f32);
}

}  // namespace retort::runtime
