// Linear layers in bf16 on processors that have no such products: see bf16_panel_kernel in linear.h.
#include <cstring>

#include "runtime/bfloat16.h"
#include "runtime/linear.h"
#include "runtime/packing.h"
#include "runtime/panels.h"
#include "runtime/row_kernel.h"

namespace retort::runtime {
namespace {

// A product takes about so many times as long as one of int8, by which split_panels judges.
constexpr std::int64_t kWork = 3;

class Bf16PanelKernel final : public LinearKernel {
 public:
  Bf16PanelKernel(MatmulPool& pool, const LinearWeights& weights, const RowKernels& kernels)
      : kernels_(kernels), words_((weights.in + 1) / 2) {
    std::byte* packed = pool.weights().take(panels_of(weights.out) * panel_bytes());
    pack_floats(weights, WeightForm::bf16, words_, packed);
    panels_ = {packed, weights.out, weights.in};
  }

  InputForm input_form() const override { return InputForm::f32; }

  void finish_row(const Activation& in, std::int64_t row, std::int64_t, float) const override {
    in.row_scales[row] = 1.0f;
  }

  void run(const LinearProduct& product) const override {
    split_panels(panels_of(panels_.out), kWork * product.rows * panels_.in * panels_.out, product.preparation,
                 {panels_.data, panel_bytes()}, [&](const PanelSpan& span) {
                   kernels_.bf16(panels_, span, product.rows, product.in.values, product.out);
                 });
  }

  void look_up(std::int64_t row, float* target) const override {
    const std::byte* const column = panels_.data + row / kPanelColumns * panel_bytes() + row % kPanelColumns * 4;
    for (std::int64_t i = 0; i < panels_.in; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, column + i / 2 * kPanelColumns * 4 + i % 2 * 2, sizeof(half));
      target[i] = from_bfloat16(half);
    }
  }

  std::string implementation() const override {
    return std::string("retort:") + kernels_.name + ", activations in f32";
  }

 private:
  std::int64_t panel_bytes() const { return words_ * kPanelColumns * 4; }

  const RowKernels& kernels_;
  std::int64_t words_;  // of a column
  Bf16Panels panels_;   // the pool's
};

}  // namespace

std::unique_ptr<const LinearKernel> bf16_panel_kernel(MatmulPool& pool, const LinearWeights& weights) {
  const RowKernels& kernels = row_kernels_for(pool.onednn().instruction_set());
  if (kernels.bf16 == nullptr) return nullptr;
  return std::make_unique<Bf16PanelKernel>(pool, weights, kernels);
}

}  // namespace retort::runtime
