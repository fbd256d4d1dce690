// Linear layers with int4 weights in groups: see int4_kernel in linear.h. oneDNN 3.7 unpacks such weights at every
// call; unpacking them to bf16 would round them and cost memory, to be at most a tenth faster with many rows and half
// as fast with few (linear_benchmark).
#include <cstring>

#include "runtime/linear.h"
#include "runtime/packing.h"
#include "runtime/panels.h"
#include "runtime/row_kernel.h"
#include "runtime/vector_kernels.h"

namespace retort::runtime {
namespace {

class Int4Kernel final : public LinearKernel {
 public:
  Int4Kernel(MatmulPool& pool, const LinearWeights& weights)
      : kernels_(row_kernels_for(pool.onednn().instruction_set())), in_(weights.in) {
    for (const model::LinearWeight& part : weights.parts) finite_f32(*part.scale, weights.folder);
    panels_ = {nullptr, weights.out, (in_ + weights.group_size - 1) / weights.group_size, weights.group_size,
               scale_type(weights)};
    packed_ = packed_buffer(panels_.panel_bytes() * panels_.panels());
    panels_.data = packed_.data();
    pack_int4(weights, panels_, packed_.data());
  }

  InputForm input_form() const override { return InputForm::wide_rows; }

  void finish_row(const Activation& in, std::int64_t row, float maximum) const override {
    const std::int64_t groups = panels_.groups, plane = groups * panels_.group_size;
    std::int8_t* high = in.codes + 2 * row * plane;
    std::int32_t* sums = in.group_sums + 2 * row * groups;
    in.row_scales[row] = quantize_groups_wide(in.values + row * in_, in_, panels_.group_size, maximum, high,
                                              high + plane, sums, sums + groups);
  }

  void run(std::int64_t rows, const Activation& in, float* out) const override {
    split_panels(panels_.panels(), rows * in_ * panels_.out, [&](std::int64_t first, std::int64_t last) {
      kernels_.int4(panels_, first, last, rows, {in.codes, in.group_sums}, out);
    });
  }

  void look_up(std::int64_t row, float* target) const override {
    const std::int64_t column = row % kPanelColumns;
    const std::byte* panel = panels_.data + row / kPanelColumns * panels_.panel_bytes();
    for (std::int64_t i = 0; i < in_; ++i) {
      const std::byte* group = panel + i / panels_.group_size * panels_.group_bytes();
      const std::int64_t k = i % panels_.group_size;
      const std::byte pair = group[panels_.scale_bytes() + (k / 8 * kPanelColumns + column) * 4 + k % 8 / 2];
      const int code = static_cast<int>(k % 2 == 0 ? pair & std::byte{15} : pair >> 4) - 8;
      target[i] = static_cast<float>(code) * scale_of(group, panels_.scale_type, column);
    }
  }

  std::string implementation() const override {
    return std::string("retort:") + kernels_.name + ", groups of " + std::to_string(panels_.group_size);
  }

 private:
  const RowKernels& kernels_;
  std::int64_t in_;
  AlignedBuffer<std::byte> packed_;
  Int4Panels panels_;
};

}  // namespace

std::unique_ptr<const LinearKernel> int4_kernel(MatmulPool& pool, const LinearWeights& weights) {
  return std::make_unique<Int4Kernel>(pool, weights);
}

}  // namespace retort::runtime
