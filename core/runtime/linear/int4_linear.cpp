// Linear layers with int4 weights in groups: see int4_kernel in linear.h. oneDNN 3.7 unpacks such weights at every
// call, slowly. Unpacked here, they are multiplied in f32; bf16 would round them once more
// (docs/measurements/accuracy.md).
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "runtime/kernels/parallel.h"
#include "runtime/kernels/vector_kernels.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/packing.h"
#include "runtime/linear/panels.h"
#include "runtime/linear/row_kernel.h"
#include "runtime/linear/row_scales.h"
#include "runtime/linear/unpacked_product.h"
#include "runtime/linear/unpacking.h"
#include "runtime/linear/zero_points.h"

namespace retort::runtime {
namespace {

// Without VNNI f32 on oneDNN is faster than the row kernel from so many rows on; with it, never (linear_benchmark).
constexpr std::int64_t kUnpackedRows = 16;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

class Int4Kernel final : public LinearKernel {
 public:
  Int4Kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice)
      : pool_(pool), kernels_(row_kernels_for(pool.onednn().instruction_set())), in_(weights.in) {
    unpack(pool, weights, choice);
    place(weights);
    if (kernels_.join != nullptr) pool.reserve_joined(pool.max_rows() * plane());
  }

  InputForm input_form() const override { return unpacked_rows_ == 1 ? InputForm::f32 : InputForm::wide_rows; }

  void finish_row(const Activation& in, std::int64_t row, std::int64_t rows, float maximum) const override {
    if (rows >= unpacked_rows_) {
      in.row_scales[row] = 1.0f;
      return;
    }
    const std::int64_t groups = panels_.groups;
    std::int8_t* high = in.codes + 2 * row * plane();
    std::int32_t* sums = in.group_sums + 2 * row * groups;
    in.row_scales[row] = quantize_groups_wide(in.values + row * in_, in_, panels_.group_size, maximum, high,
                                              high + plane(), sums, sums + groups);
  }

  void run(const LinearProduct& product) const override {
    const std::int64_t rows = product.rows;
    const Activation& in = product.in;
    if (rows >= unpacked_rows_) {
      product.preparation();
      return unpacked_->run(rows, in.values, product.out,
                            [this](std::int64_t panel, std::int64_t stride_words, float* target) {
                              unpack_int4(panels_, panel, panel + 1, in_, stride_words, target);
                            });
    }
    const auto prepare = [&] {
      product.preparation();
      join(rows, in.codes);
    };
    if (rows > 1) prepare();
    const Int4Rows codes{in.codes, in.group_sums, kernels_.join != nullptr ? pool_.joined() : nullptr};
    split_panels(panels_.panels(), rows * in_ * panels_.out, rows > 1 ? Preparation() : prepare,
                 {panels_.data, panels_.panel_bytes()}, [&](const PanelSpan& span) {
                   kernels_.int4(panels_, span, rows, codes, product.out);
                   if (panels_.zeros != nullptr) subtract_zero_points(panels_, span, rows, in.group_sums, product.out);
                   if (product.scaled) scale_panels(span, rows, in.row_scales, panels_.out, product.out);
                 });
  }

  void look_up(std::int64_t row, float* target) const override {
    const std::int64_t column = row % kPanelColumns;
    const std::byte* panel = panels_.data + row / kPanelColumns * panels_.panel_bytes();
    for (std::int64_t i = 0; i < in_; ++i) {
      const std::byte* group = panel + i / panels_.group_size * panels_.group_bytes();
      const std::int64_t k = i % panels_.group_size;
      const std::byte pair = group[(k / 8 * kPanelColumns + column) * 4 + k % 8 / 2];
      const std::int64_t zero =
          (row / kPanelColumns * panels_.groups + i / panels_.group_size) * kPanelColumns + column;
      const int code = static_cast<int>(k % 2 == 0 ? pair & std::byte{15} : pair >> 4) - 8 -
                       (panels_.zeros == nullptr ? 0 : panels_.zeros[zero]);
      target[i] = static_cast<float>(code) * scale_of(group + panels_.word_bytes(), panels_.scale_type, column);
    }
  }

  std::string implementation() const override {
    std::string text = std::string("retort:") + kernels_.name + ", groups of " + std::to_string(panels_.group_size) +
                       (panels_.zeros != nullptr ? " with zero points" : "");
    if (unpacked_rows_ < kNever)
      text += ", from " + std::to_string(unpacked_rows_) + " rows unpacked to f32: " + unpacked_->implementation();
    return text;
  }

 private:
  /// One place for the panels and, behind them, the zero points [panels][groups][64], if there are any.
  void place(const LinearWeights& weights) {
    const bool zeros = has_zero_points(weights);
    const char* const types[] = {"f32", "f16", "bf16"};
    panels_ = {nullptr, weights.out, (in_ + weights.group_size - 1) / weights.group_size, weights.group_size,
               scale_type(weights)};
    const std::int64_t bytes = panels_.panel_bytes() * panels_.panels();
    const std::int64_t zero_bytes = zeros ? panels_.panels() * panels_.groups * kPanelColumns : 0;
    const PackedPlace place =
        pool_.weights().place(weights.name,
                              "int4 panels, groups of " + std::to_string(weights.group_size) + ", scales " +
                                  types[static_cast<int>(panels_.scale_type)] + (zeros ? ", zero points" : ""),
                              bytes + zero_bytes);
    panels_.data = place.data;
    if (zeros) panels_.zeros = reinterpret_cast<const std::int8_t*>(place.data + bytes);
    if (place.filled) return;
    for (const model::LinearWeight& part : weights.parts) finite_f32(*part.scale, weights.folder);
    if (zeros)
      std::memcpy(place.data + bytes, panel_zero_points(weights, panels_).data(), static_cast<std::size_t>(zero_bytes));
    pack_int4(weights, panels_, place.data);
  }

  std::int64_t plane() const { return panels_.groups * panels_.group_size; }

  /// What the row kernel may want instead of planes.
  void join(std::int64_t rows, const std::int8_t* codes) const {
    if (kernels_.join == nullptr) return;
    parallel_for(rows, rows * in_, [&](std::int64_t row, std::int64_t) {
      const std::int8_t* high = codes + 2 * row * plane();
      kernels_.join(high, high + plane(), plane(), pool_.joined() + row * plane());
    });
  }

  void unpack(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
    const std::int64_t least_rows = choice == KernelChoice::onednn ? 1 : kUnpackedRows;
    if (choice == KernelChoice::row_kernels || least_rows > pool.max_rows()) return;
    if (choice == KernelChoice::faster && pool.onednn().multiplies_int8_exactly()) return;
    unpacked_.emplace(pool, weights.name, weights.in, weights.out, least_rows);
    if (unpacked_->possible()) unpacked_rows_ = least_rows;
  }

  MatmulPool& pool_;
  const RowKernels& kernels_;
  std::int64_t in_;
  Int4Panels panels_;  // in the pool's memory
  std::optional<UnpackedProduct> unpacked_;
  std::int64_t unpacked_rows_ = kNever;
};

}  // namespace

std::unique_ptr<LinearKernel> int4_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
  return std::make_unique<Int4Kernel>(pool, weights, choice);
}

}  // namespace retort::runtime
