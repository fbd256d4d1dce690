// oneDNN matmul primitives of one weight shape for every row count, sharing one packed weight layout. Owns no weights.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "runtime/kernels/aligned_buffer.h"
#include "runtime/kernels/onednn_engine.h"
#include "runtime/linear/packed_memory.h"

namespace retort::runtime {

/// Row counts that have a primitive; other counts run the next larger one over padding rows, or several, see
/// rows_at_once.
inline constexpr std::array<std::int64_t, 15> kRowBuckets{1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512};

/// The smallest bucket that holds `rows`, 1 ≤ rows ≤ 512.
std::int64_t row_bucket(std::int64_t rows);

/// How many of `rows` to multiply first: all of them, unless so many padding rows would join them that the next smaller
/// bucket of rows and then the rest are faster, although the weights are read twice.
std::int64_t rows_at_once(std::int64_t rows);

enum class Arithmetic {
  f32,   ///< f32 × f32 → f32
  bf16,  ///< bf16 × bf16 → f32
  int8,  ///< s8 × s8 → f32, one scale per output channel; the activation's row scale is left to the next pass
};

struct MatmulShape {
  Arithmetic arithmetic = Arithmetic::f32;
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t out_stride = 0;  ///< from one row of y to the next; 0: out, as the rows are one behind the other
  std::int64_t least_rows = 1;  ///< fewer are padded to so many; at most 16, for which rows_at_once leaves room
  auto operator<=>(const MatmulShape&) const = default;
};

std::string text_of(const MatmulShape& shape);

/// Throws std::runtime_error if `implementation` (oneDNN's impl_info_str) is one of its reference loops, which are 100
/// to 1000 times slower than what this runtime is for. Anything else passes: brg_matmul where the processor has
/// AVX-512, gemm:jit elsewhere.
bool is_reference(const std::string& implementation);
void refuse_reference(const std::string& implementation, const std::string& layer, const MatmulShape& shape,
                      std::int64_t rows);

/// Where a packed weight [in,out] has its elements; for blocked and plain layouts alike.
class WeightOffsets {
 public:
  explicit WeightOffsets(const dnnl::memory::desc& packed);
  std::int64_t at(std::int64_t in, std::int64_t out) const;  ///< in elements

 private:
  dnnl::memory::dims strides_, blocks_, dimensions_;
};

/// Where `packed` is oneDNN's layout of panels of 64 columns of 32-bit words (BA16a64b, BA16a64b2a, BA16a64b4a), which
/// packing.h writes and row_kernel.h reads: the words from one panel to the next. 0 for any other layout.
std::int64_t panel_stride_words(const dnnl::memory::desc& packed);

/// y[rows,out] = x[rows,in] · W[out,in]ᵀ for any rows up to `max_rows`.
class Matmul {
 public:
  /// `layer` only names the first user in errors. Throws as refuse_reference (but see least_rows), and
  /// std::runtime_error if oneDNN has no implementation at all.
  Matmul(const OneDnnEngine& onednn, const MatmulShape& shape, std::int64_t max_rows, const std::string& layer);

  const dnnl::memory::desc& packed_weight() const { return packed_; }
  /// The fewest rows it multiplies. More than the shape's for some small int8 layers where there is AMX, whose layout
  /// oneDNN's other kernels cannot read, and which oneDNN does not use for so little; 0: it multiplies none.
  std::int64_t least_rows() const { return kernels_.empty() ? 0 : kernels_.front().rows; }
  std::size_t scratchpad_bytes() const { return scratchpad_bytes_; }
  std::string implementation() const;  ///< impl_info_str, with row counts where they differ

  /// `rows` are least_rows() or more. `in` and `out` hold row_bucket(rows) rows, `in` as the shape says; rows past
  /// `rows` may be read and written but mean nothing. `scales` is empty but for int8. No allocation of its own.
  void execute(const dnnl::stream& stream, std::int64_t rows, const void* in, const dnnl::memory& weight,
               const dnnl::memory& scales, float* out, void* scratchpad) const;

 private:
  struct Kernel {
    std::int64_t rows = 0;
    std::string implementation;
    dnnl::matmul primitive;
    dnnl::memory in, out, scratchpad;  // descriptors; the data pointer is set at every call
  };
  static Kernel make_kernel(const OneDnnEngine& onednn, std::int64_t rows,
                            const dnnl::matmul::primitive_desc& description);
  dnnl::matmul::primitive_desc describe(const OneDnnEngine& onednn, std::int64_t rows,
                                        const dnnl::memory::desc& weight) const;
  const Kernel& kernel_for(std::int64_t rows) const;
  void run_kernel(const Kernel& kernel, const dnnl::stream& stream, const std::byte* in, const dnnl::memory& weight,
                  const dnnl::memory& scales, float* out, void* scratchpad) const;

  MatmulShape shape_;
  dnnl::memory::desc packed_;
  std::size_t scratchpad_bytes_ = 0;
  std::vector<Kernel> kernels_;  // by rows
};

/// The matmuls of one model: layers of equal shape share primitives, all share one scratchpad, and their packed weights
/// stand one behind the other.
class MatmulPool {
 public:
  /// Layers multiply up to `max_rows` rows; there is always room for the two planes of one row.
  MatmulPool(const OneDnnEngine& onednn, std::int64_t max_rows)
      : onednn_(onednn), max_rows_(std::max<std::int64_t>(max_rows, 2)) {}

  const OneDnnEngine& onednn() const { return onednn_; }
  std::int64_t max_rows() const { return max_rows_; }
  /// Stays valid as long as the pool. At load only: may replace the scratchpad.
  const Matmul& get(const MatmulShape& shape, const std::string& layer);
  void* scratchpad() { return scratchpad_.data(); }
  /// Where layers keep their packed weights.
  PackedMemory& weights() { return weights_; }

  /// Room for weights that a layer unpacks before it multiplies them: at least `floats` (at load only).
  void reserve_unpacked(std::int64_t floats);
  float* unpacked() { return unpacked_.data(); }

  /// Room for the codes of rows that a row kernel wants joined: at least `codes` (at load only).
  void reserve_joined(std::int64_t codes);
  std::int16_t* joined() { return joined_.data(); }

  /// Room for products that a layer joins before it gives them away: at least `floats` (at load only), and as many rows
  /// as kPlaneFloats hold.
  void reserve_planes(std::int64_t floats);
  float* planes() { return planes_.data(); }
  /// How many rows of `out` fit: a row bucket, at most max_rows.
  std::int64_t plane_rows(std::int64_t out) const;
  static constexpr std::int64_t kPlaneFloats = std::int64_t{1} << 22;

 private:
  const OneDnnEngine& onednn_;
  std::int64_t max_rows_;
  std::map<MatmulShape, std::unique_ptr<Matmul>> matmuls_;
  PackedMemory weights_;
  AlignedBuffer<std::byte> scratchpad_;
  AlignedBuffer<float> unpacked_, planes_;
  AlignedBuffer<std::int16_t> joined_;
};

}  // namespace retort::runtime
