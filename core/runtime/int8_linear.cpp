// Linear layers with int8 weights: see int8_kernel in linear.h. One packed copy serves the row kernels and oneDNN.
#include <algorithm>
#include <cstring>

#include "runtime/linear.h"
#include "runtime/packing.h"
#include "runtime/panels.h"
#include "runtime/row_kernel.h"
#include "runtime/vector_kernels.h"

namespace retort::runtime {
namespace {

// Above this oneDNN is faster. At 1 and 2 rows of large layers the two are equal (bench_linear: 0.93 to 1.05 times);
// what the row kernel saves is the fixed cost of a primitive, which only small layers feel.
constexpr std::int64_t kRowKernelRows = 2;
constexpr std::int64_t kWordBytes = 4;

class Int8Kernel final : public LinearKernel {
 public:
  Int8Kernel(MatmulPool& pool, const LinearWeights& weights)
      : pool_(pool),
        kernels_(row_kernels_for(pool.onednn().instruction_set())),
        in_(weights.in),
        scales_(row_scales(weights)),
        sums_(scales_.size()) {
    const std::int64_t columns = panels_of(weights.out) * kPanelColumns, words = (in_ + kWordBytes - 1) / kWordBytes;
    if (pool.onednn().multiplies_int8_exactly()) matmul_ = known_matmul(weights, columns);
    const std::int64_t stride_words = matmul_ != nullptr ? panel_stride_words(matmul_->packed_weight()) : words;
    const std::int64_t code_bytes = columns * stride_words * kWordBytes;
    packed_ = packed_buffer(matmul_ != nullptr ? packed_bytes(*matmul_) : code_bytes);
    pack_int8(weights, stride_words, packed_.data(), sums_.data());
    const auto* codes = reinterpret_cast<const std::int8_t*>(packed_.data());
    panels_ = {codes, sums_.data(), scales_.data(), weights.out, words, stride_words};
    if (matmul_ != nullptr) share_with_onednn(code_bytes);
  }

  InputForm input_form() const override { return InputForm::int8_rows; }

  void finish_row(const Activation& in, std::int64_t row, float maximum) const override {
    in.row_scales[row] = quantize_row(in.values + row * in_, in_, maximum, in.codes + row * in_);
  }

  void run(std::int64_t rows, const Activation& in, float* out) const override {
    if (matmul_ != nullptr && rows > kRowKernelRows) {
      matmul_->execute(pool_.onednn().stream(), rows, in.codes, weight_, scales_memory_, out, pool_.scratchpad());
      return;
    }
    split_panels(panels_of(panels_.out), rows * in_ * panels_.out, [&](std::int64_t first, std::int64_t last) {
      kernels_.int8(panels_, first, last, rows, {in.codes, in_}, out);
    });
  }

  void look_up(std::int64_t row, float* target) const override {
    const std::int8_t* column = panels_.codes +
                                row / kPanelColumns * panels_.stride_words * kPanelColumns * kWordBytes +
                                row % kPanelColumns * kWordBytes;
    const float scale = scales_[static_cast<std::size_t>(row)];
    for (std::int64_t i = 0; i < in_; ++i)
      target[i] = static_cast<float>(column[i / kWordBytes * kPanelColumns * kWordBytes + i % kWordBytes]) * scale;
  }

  std::string implementation() const override {
    const std::string own = std::string("retort:") + kernels_.name;
    if (matmul_ == nullptr) return own;
    return own + ", from " + std::to_string(kRowKernelRows + 1) + " rows " + matmul_->implementation();
  }

 private:
  static std::int64_t packed_bytes(const Matmul& matmul) {
    return static_cast<std::int64_t>(matmul.packed_weight().get_size());
  }

  /// oneDNN's product, if it reads panels; behind them it keeps a number per column (see share_with_onednn) or nothing.
  const Matmul* known_matmul(const LinearWeights& weights, std::int64_t columns) const {
    const Matmul& matmul = pool_.get({Arithmetic::int8, weights.in, weights.out}, weights.name);
    const std::int64_t codes = panel_stride_words(matmul.packed_weight()) * columns * kWordBytes;
    const std::int64_t behind = packed_bytes(matmul) - codes;
    return codes > 0 && (behind == 0 || behind == columns * kWordBytes) ? &matmul : nullptr;
  }

  void share_with_onednn(std::int64_t code_bytes) {
    if (packed_.size() > code_bytes) {
      // Without a product of signed bytes oneDNN multiplies code + 128 and adds this.
      auto* compensation = reinterpret_cast<std::int32_t*>(packed_.data() + code_bytes);
      std::transform(sums_.begin(), sums_.end(), compensation, [](std::int32_t sum) { return -128 * sum; });
    }
    const dnnl::memory::desc vector({panels_.out}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    weight_ = dnnl::memory(matmul_->packed_weight(), pool_.onednn().engine(), packed_.data());
    scales_memory_ = dnnl::memory(vector, pool_.onednn().engine(), scales_.data());
  }

  MatmulPool& pool_;
  const RowKernels& kernels_;
  std::int64_t in_;
  std::vector<float> scales_;       // [panels · 64]
  std::vector<std::int32_t> sums_;  // [panels · 64]
  const Matmul* matmul_ = nullptr;  // null: row kernels for any number of rows
  AlignedBuffer<std::byte> packed_;
  Int8Panels panels_;
  dnnl::memory weight_, scales_memory_;
};

}  // namespace

std::unique_ptr<const LinearKernel> int8_kernel(MatmulPool& pool, const LinearWeights& weights) {
  return std::make_unique<Int8Kernel>(pool, weights);
}

}  // namespace retort::runtime
