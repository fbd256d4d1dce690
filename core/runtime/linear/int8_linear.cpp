// Linear layers with int8 weights: see int8_kernel in linear.h. One packed copy serves the row kernels and oneDNN.
#include <algorithm>
#include <cstring>

#include "runtime/kernels/parallel.h"
#include "runtime/kernels/vector_kernels.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/outliers.h"
#include "runtime/linear/packing.h"
#include "runtime/linear/panels.h"
#include "runtime/linear/row_kernel.h"
#include "runtime/linear/row_scales.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kWordBytes = 4;
constexpr std::int64_t kJoinColumns = 4096;  // by one thread at a time

class Int8Kernel final : public LinearKernel {
 public:
  Int8Kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice)
      : pool_(pool),
        kernels_(row_kernels_for(pool.onednn().instruction_set())),
        in_(weights.in),
        planes_(weights.activation_bits == 8 ? 1 : 2) {
    const std::int64_t columns = panels_of(weights.out) * kPanelColumns, words = (in_ + kWordBytes - 1) / kWordBytes;
    // Kernels that read joined codes add up other parts of W8A16's sums than oneDNN: one of them does all rows, as does
    // one that is faster for any number of them.
    const std::int64_t faster_rows = kernels_.int8_limits.rows(in_, weights.out, planes_ > 1);
    const bool every_row = kernels_.join != nullptr || faster_rows >= pool.max_rows();
    const bool alone = choice == KernelChoice::row_kernels || (choice == KernelChoice::faster && every_row);
    if (!alone && pool.onednn().multiplies_int8_exactly()) matmul_ = known_matmul(weights, columns);
    const std::int64_t stride_words = matmul_ != nullptr ? panel_stride_words(matmul_->packed_weight()) : words;
    place(weights, words, stride_words);
    if (matmul_ != nullptr) share_with_onednn();
    if (matmul_ != nullptr) {
      // Those for which it is faster, and those that oneDNN does not multiply.
      row_kernel_rows_ =
          std::max(choice == KernelChoice::onednn ? 0 : faster_rows, (matmul_->least_rows() - 1) / planes_);
    }
    if (matmul_ != nullptr && planes_ > 1) pool.reserve_planes(planes_ * weights.out);
    if (kernels_.join != nullptr) pool.reserve_joined(pool.max_rows() * words * kWordBytes);
  }

  InputForm input_form() const override { return planes_ == 1 ? InputForm::int8_rows : InputForm::wide_rows; }

  void finish_row(const Activation& in, std::int64_t row, std::int64_t, float maximum) const override {
    const float* values = in.values + row * in_;
    std::int8_t* codes = in.codes + row * planes_ * in_;
    in.row_scales[row] = planes_ == 1 ? quantize_row_but_outliers(values, in_, maximum, codes, outliers_of_row(in, row))
                                      : quantize_row_wide(values, in_, maximum, codes, codes + in_);
  }

  void run(const LinearProduct& product) const override {
    if (matmul_ == nullptr || product.rows <= row_kernel_rows_) return run_row_kernel(product);
    product.preparation();
    if (planes_ == 1) {
      multiply(product.rows, product.in.codes, product.out);
      add_all_outliers(product.rows, product.in, product.out);
    } else {
      run_planes(product.rows, product.in.codes, product.out);
    }
    if (product.scaled) scale_rows(product.rows, product.in.row_scales, panels_.out, product.out);
  }

  void look_up(std::int64_t row, float* target) const override {
    const std::int8_t* column = panels_.codes +
                                row / kPanelColumns * panels_.stride_words * kPanelColumns * kWordBytes +
                                row % kPanelColumns * kWordBytes;
    const float scale = panels_.scales[row];
    for (std::int64_t i = 0; i < in_; ++i) {
      const std::int8_t code = column[i / kWordBytes * kPanelColumns * kWordBytes + i % kWordBytes];
      target[i] = static_cast<float>(code) * scale;
    }
  }

  std::string implementation() const override {
    std::string own = std::string("retort:") + kernels_.name;
    if (matmul_ == nullptr) return own;
    const std::string wide = planes_ > 1 ? ", 2 products a row" : "";
    if (row_kernel_rows_ == 0) return matmul_->implementation() + wide;
    return own + ", from " + std::to_string(row_kernel_rows_ + 1) + " rows " + matmul_->implementation() + wide;
  }

 private:
  /// One place for all that multiplying needs: [panels][stride_words][64] words of codes; what oneDNN adds where it has
  /// no product of signed bytes and multiplies code + 128, -128 · sum; sums; scales. Each of these [panels · 64].
  void place(const LinearWeights& weights, std::int64_t words, std::int64_t stride_words) {
    const std::int64_t columns = panels_of(weights.out) * kPanelColumns;
    const std::int64_t code_bytes = columns * stride_words * kWordBytes, vector_bytes = columns * kWordBytes;
    const PackedPlace place = pool_.weights().place(
        weights.name, "int8 panels, " + std::to_string(stride_words) + " words", code_bytes + 3 * vector_bytes);
    packed_ = place.data;
    auto* compensation = reinterpret_cast<std::int32_t*>(packed_ + code_bytes);
    std::int32_t* sums = compensation + columns;
    auto* scales = reinterpret_cast<float*>(sums + columns);
    panels_ = {reinterpret_cast<const std::int8_t*>(packed_), sums, scales, weights.out, words, stride_words};
    if (place.filled) return;
    const std::vector<float> values = row_scales(weights);
    std::copy(values.begin(), values.end(), scales);
    pack_int8(weights, stride_words, packed_, sums);
    std::transform(sums, sums + columns, compensation, [](std::int32_t sum) { return -128 * sum; });
  }

  void run_row_kernel(const LinearProduct& product) const {
    const std::int64_t rows = product.rows;
    const Activation& in = product.in;
    const auto prepare = [&] {
      product.preparation();
      join(rows, in.codes);
    };
    if (rows > 1) prepare();
    const Int8Rows codes{in.codes, in_, planes_ > 1, kernels_.join != nullptr ? pool_.joined() : nullptr};
    // Two planes of codes are multiplied in the time that one needs to be read.
    const std::int64_t row_times = kernels_.join != nullptr ? rows : (rows * planes_ + 1) / 2;
    split_panels(panels_of(panels_.out), row_times * in_ * panels_.out, rows > 1 ? Preparation() : prepare,
                 {packed_, panels_.stride_words * kPanelColumns * kWordBytes}, [&](const PanelSpan& span) {
                   kernels_.int8(panels_, span, rows, codes, product.out);
                   for (std::int64_t row = 0; planes_ == 1 && row < rows; ++row)
                     add_outliers_of(in, row, span.first, span.last, product.out);
                   if (product.scaled) scale_panels(span, rows, in.row_scales, panels_.out, product.out);
                 });
  }

  /// What the row kernel may want instead of planes.
  void join(std::int64_t rows, const std::int8_t* codes) const {
    if (kernels_.join == nullptr) return;
    const std::int64_t stride = panels_.words * kWordBytes;
    parallel_for(rows, rows * in_, [&](std::int64_t row, std::int64_t) {
      const std::int8_t* high = codes + row * planes_ * in_;
      kernels_.join(high, planes_ > 1 ? high + in_ : nullptr, stride, pool_.joined() + row * stride);
    });
  }

  std::int32_t* outliers_of_row(const Activation& in, std::int64_t row) const {
    return in.outliers + row * outliers_of(in_);
  }

  void add_outliers_of(const Activation& in, std::int64_t row, std::int64_t first, std::int64_t last,
                       float* out) const {
    const std::int32_t* outliers = outliers_of_row(in, row);
    if (outliers[0] == 0) return;
    add_outliers(panels_, first, last, in.values + row * in_, in.row_scales[row], outliers, out + row * panels_.out);
  }

  void add_all_outliers(std::int64_t rows, const Activation& in, float* out) const {
    std::int64_t count = 0;
    for (std::int64_t row = 0; row < rows; ++row) count += outliers_of_row(in, row)[0];
    if (count == 0) return;
    parallel_for(rows, count * panels_.out,
                 [&](std::int64_t row, std::int64_t) { add_outliers_of(in, row, 0, panels_of(panels_.out), out); });
  }

  void multiply(std::int64_t rows, const std::int8_t* codes, float* out) const {
    matmul_->execute(pool_.onednn().stream(), rows, codes, weight_, scales_memory_, out, pool_.scratchpad());
  }

  /// As many rows at once as have room for their planes' products.
  void run_planes(std::int64_t rows, const std::int8_t* codes, float* out) const {
    const std::int64_t most = pool_.plane_rows(panels_.out) / planes_;
    for (std::int64_t first = 0; first < rows; first += most) {
      const std::int64_t count = std::min(most, rows - first);
      multiply(planes_ * count, codes + first * planes_ * in_, pool_.planes());
      const std::int64_t blocks = (panels_.out + kJoinColumns - 1) / kJoinColumns;
      parallel_for(count * blocks, 3 * count * panels_.out, [&](std::int64_t i, std::int64_t) {
        const std::int64_t row = i / blocks, column = i % blocks * kJoinColumns;
        const float* high = pool_.planes() + row * planes_ * panels_.out + column;
        join_planes(high, high + panels_.out, std::min(kJoinColumns, panels_.out - column),
                    out + (first + row) * panels_.out + column);
      });
    }
  }

  static std::int64_t packed_bytes(const Matmul& matmul) {
    return static_cast<std::int64_t>(matmul.packed_weight().get_size());
  }

  /// oneDNN's product, if it has one that reads panels; behind them it keeps a number per column (see place) or
  /// nothing.
  const Matmul* known_matmul(const LinearWeights& weights, std::int64_t columns) const {
    const Matmul& matmul = pool_.get({Arithmetic::int8, weights.in, weights.out}, weights.name);
    const std::int64_t codes = panel_stride_words(matmul.packed_weight()) * columns * kWordBytes;
    const std::int64_t behind = packed_bytes(matmul) - codes;
    return codes > 0 && matmul.least_rows() > 0 && (behind == 0 || behind == columns * kWordBytes) ? &matmul : nullptr;
  }

  void share_with_onednn() {
    const dnnl::memory::desc vector({panels_.out}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    weight_ = dnnl::memory(matmul_->packed_weight(), pool_.onednn().engine(), packed_);
    scales_memory_ = dnnl::memory(vector, pool_.onednn().engine(), const_cast<float*>(panels_.scales));
  }

  MatmulPool& pool_;
  const RowKernels& kernels_;
  std::int64_t in_;
  std::int64_t planes_;               // of a row's codes
  std::int64_t row_kernel_rows_ = 0;  // if there is a matmul
  const Matmul* matmul_ = nullptr;    // null: row kernels for any number of rows
  std::byte* packed_ = nullptr;       // the pool's
  Int8Panels panels_;
  dnnl::memory weight_, scales_memory_;
};

}  // namespace

std::unique_ptr<LinearKernel> int8_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
  return std::make_unique<Int8Kernel>(pool, weights, choice);
}

}  // namespace retort::runtime
