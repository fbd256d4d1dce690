// Linear layers in bf16 on processors that have no such products: see bf16_panel_kernel in linear.h.
#include <cstring>
#include <limits>
#include <optional>

#include "runtime/kernels/bfloat16.h"
#include "runtime/linear/bf16_panels.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/packing.h"
#include "runtime/linear/row_kernel.h"
#include "runtime/linear/unpacked_product.h"
#include "runtime/linear/unpacking.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// From so many rows on oneDNN is faster where it has AVX-512, which the row kernel has not
/// (docs/measurements/kernels.md).
std::int64_t least_unpacked_rows(std::int64_t in) {
  constexpr std::int64_t kShortPanel = 1024;
  return in > kShortPanel ? 8 : 16;
}

bool has_avx512(const OneDnnEngine& onednn) {
  constexpr unsigned avx512 = dnnl_cpu_isa_avx512_core;
  return (onednn.instruction_set() & avx512) == avx512;
}

class Bf16PanelKernel final : public LinearKernel {
 public:
  Bf16PanelKernel(MatmulPool& pool, const LinearWeights& weights, const RowKernels& kernels, KernelChoice choice)
      : kernels_(kernels) {
    const std::int64_t words = (weights.in + 1) / 2;
    const PackedPlace place = pool.weights().place(weights.name, "bf16 panels, " + std::to_string(words) + " words",
                                                   panels_of(weights.out) * words * kPanelColumns * 4);
    packed_ = place.data;
    panels_ = {packed_, weights.out, weights.in, words};
    if (!place.filled) Bf16PanelKernel::repack(weights);
    const std::int64_t least_rows = choice == KernelChoice::onednn ? 1 : least_unpacked_rows(weights.in);
    if (choice == KernelChoice::row_kernels || least_rows > pool.max_rows() || !has_avx512(pool.onednn())) return;
    unpacked_.emplace(pool, weights.name, weights.in, weights.out, least_rows);
    if (unpacked_->possible()) unpacked_rows_ = least_rows;
  }

  void repack(const LinearWeights& weights) override {
    pack_floats(weights, WeightForm::bf16, panels_.stride_words, packed_);
  }

  InputForm input_form() const override { return InputForm::f32; }

  void finish_row(const Activation& in, std::int64_t row, std::int64_t, float) const override {
    in.row_scales[row] = 1.0f;
  }

  void run(const LinearProduct& product) const override {
    if (product.rows < unpacked_rows_) return run_bf16_panels(kernels_, panels_, product);
    product.preparation();
    unpacked_->run(product.rows, product.in.values, product.out,
                   [this](std::int64_t panel, std::int64_t stride_words, float* target) {
                     unpack_bf16(panels_, panel, stride_words, target);
                   });
  }

  void look_up(std::int64_t row, float* target) const override {
    const std::byte* const column =
        panels_.data + row / kPanelColumns * panels_.panel_bytes() + row % kPanelColumns * 4;
    for (std::int64_t i = 0; i < panels_.in; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, column + i / 2 * kPanelColumns * 4 + i % 2 * 2, sizeof(half));
      target[i] = from_bfloat16(half);
    }
  }

  std::string implementation() const override {
    std::string text = "retort:avx2, activations in f32";
    if (unpacked_rows_ < kNever)
      text += ", from " + std::to_string(unpacked_rows_) + " rows unpacked to f32: " + unpacked_->implementation();
    return text;
  }

 private:
  const RowKernels& kernels_;
  std::byte* packed_ = nullptr;  // the pool's
  Bf16Panels panels_;            // the same
  std::optional<UnpackedProduct> unpacked_;
  std::int64_t unpacked_rows_ = kNever;
};

}  // namespace

std::unique_ptr<LinearKernel> bf16_panel_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
  const RowKernels& kernels = row_kernels_for(pool.onednn().instruction_set());
  if (kernels.bf16 == nullptr || (choice == KernelChoice::onednn && !has_avx512(pool.onednn()))) return nullptr;
  return std::make_unique<Bf16PanelKernel>(pool, weights, kernels, choice);
}

}  // namespace retort::runtime
