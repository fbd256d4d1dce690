// See matmul.h.
#include "runtime/linear/matmul.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace retort::runtime {
namespace {

using Descriptor = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

// Bit 1 of the mask: one scale per element of dimension 1 (the output channels) of the [in,out] weight.
constexpr int kPerOutputChannel = 1 << 1;
// The packed layout is asked for at this many rows, where it matters most; oneDNN 3.7 picks the same for all.
constexpr std::int64_t kLayoutRows = 16;

dnnl::memory::data_type input_type(Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::int8) return dnnl::memory::data_type::s8;
  return arithmetic == Arithmetic::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

}  // namespace

std::int64_t row_bucket(std::int64_t rows) {
  const auto found = std::lower_bound(kRowBuckets.begin(), kRowBuckets.end(), rows);
  if (rows < 1 || found == kRowBuckets.end()) {
    throw std::invalid_argument("matmul: expected 1 to " + std::to_string(kRowBuckets.back()) + " rows, found " +
                                std::to_string(rows));
  }
  return *found;
}

std::int64_t rows_at_once(std::int64_t rows) {
  // Reading the weights takes as long as multiplying about so many rows.
  constexpr std::int64_t kReadingRows = 16;
  const std::int64_t bucket = row_bucket(rows);
  if (bucket == rows || bucket == kRowBuckets.front()) return rows;
  const std::int64_t smaller = *std::prev(std::lower_bound(kRowBuckets.begin(), kRowBuckets.end(), bucket));
  const std::int64_t twice = std::max(smaller, kReadingRows) + std::max(row_bucket(rows - smaller), kReadingRows);
  return twice < bucket ? smaller : rows;
}

std::string text_of(const MatmulShape& shape) {
  const char* names[] = {"f32", "bf16", "int8"};
  return std::string(names[static_cast<int>(shape.arithmetic)]) + " [" + std::to_string(shape.out) + "," +
         std::to_string(shape.in) + "]";
}

bool is_reference(const std::string& implementation) {
  return implementation.starts_with("ref");
}

void refuse_reference(const std::string& implementation, const std::string& layer, const MatmulShape& shape,
                      std::int64_t rows) {
  if (!is_reference(implementation)) return;
  throw std::runtime_error(layer + ": oneDNN has only its reference implementation (" + implementation + ") for " +
                           text_of(shape) + " at " + std::to_string(rows) +
                           " rows, expected brg_matmul or another JIT kernel; ONEDNN_VERBOSE=dispatch says why; unset "
                           "ONEDNN_MAX_CPU_ISA if it is set, or store this layer in float");
}

WeightOffsets::WeightOffsets(const Descriptor& packed)
    : strides_(packed.get_strides()), blocks_(packed.get_inner_blks()), dimensions_(packed.get_inner_idxs()) {}

std::int64_t WeightOffsets::at(std::int64_t in, std::int64_t out) const {
  std::array<std::int64_t, 2> index{in, out};
  std::int64_t offset = 0, unit = 1;
  // Inner blocks are listed from the outermost to the innermost.
  for (std::size_t i = blocks_.size(); i > 0; --i) {
    std::int64_t& part = index.at(static_cast<std::size_t>(dimensions_[i - 1]));
    offset += part % blocks_[i - 1] * unit;
    part /= blocks_[i - 1];
    unit *= blocks_[i - 1];
  }
  return offset + index[0] * strides_[0] + index[1] * strides_[1];
}

std::int64_t panel_stride_words(const Descriptor& packed) {
  constexpr std::int64_t kColumns = 64, kDepth = 16;
  const auto values = 4 / static_cast<std::int64_t>(dnnl::memory::data_type_size(packed.get_data_type()));
  dnnl::memory::dims blocks{kDepth, kColumns}, dimensions{0, 1};
  if (values > 1) {
    blocks.push_back(values);
    dimensions.push_back(0);
  }
  const std::int64_t words = packed.get_padded_dims()[0] / values;
  const dnnl::memory::dims strides{kDepth * kColumns * values, words * kColumns * values};
  const bool same =
      packed.get_inner_blks() == blocks && packed.get_inner_idxs() == dimensions && packed.get_strides() == strides;
  return same ? words : 0;
}

Matmul::Matmul(const OneDnnEngine& onednn, const MatmulShape& shape, std::int64_t max_rows, const std::string& layer)
    : shape_(shape) {
  const ThreadCountScope threads(onednn.threads());
  try {
    const Descriptor any({shape.in, shape.out}, input_type(shape.arithmetic), Tag::any);
    packed_ = describe(onednn, kLayoutRows, any).weights_desc();
    const std::int64_t largest = row_bucket(max_rows);
    for (const std::int64_t rows : kRowBuckets) {
      if (rows > largest) break;
      if (rows < row_bucket(std::min(shape.least_rows, largest))) continue;
      const dnnl::matmul::primitive_desc description = describe(onednn, rows, packed_);
      const bool none = shape.arithmetic == Arithmetic::int8 && rows < kLayoutRows && kernels_.empty() &&
                        is_reference(description.impl_info_str());
      if (none) continue;
      refuse_reference(description.impl_info_str(), layer, shape, rows);
      kernels_.push_back(make_kernel(onednn, rows, description));
      scratchpad_bytes_ = std::max(scratchpad_bytes_, kernels_.back().scratchpad.get_desc().get_size());
    }
  } catch (const dnnl::error& error) {
    throw std::runtime_error(layer + ": oneDNN offers no matmul for " + text_of(shape) + ": " + error.what());
  }
}

dnnl::matmul::primitive_desc Matmul::describe(const OneDnnEngine& onednn, std::int64_t rows,
                                              const Descriptor& weight) const {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (shape_.arithmetic == Arithmetic::int8) attributes.set_scales_mask(DNNL_ARG_WEIGHTS, kPerOutputChannel);
  const Descriptor in({rows, shape_.in}, input_type(shape_.arithmetic), Tag::ab);
  const dnnl::memory::dims out_strides{shape_.out_stride > 0 ? shape_.out_stride : shape_.out, 1};
  const Descriptor out({rows, shape_.out}, dnnl::memory::data_type::f32, out_strides);
  return {onednn.engine(), in, weight, out, attributes};
}

Matmul::Kernel Matmul::make_kernel(const OneDnnEngine& onednn, std::int64_t rows,
                                   const dnnl::matmul::primitive_desc& description) {
  Kernel kernel;
  kernel.rows = rows;
  kernel.implementation = description.impl_info_str();
  kernel.primitive = dnnl::matmul(description);
  kernel.in = dnnl::memory(description.src_desc(), onednn.engine(), DNNL_MEMORY_NONE);
  kernel.out = dnnl::memory(description.dst_desc(), onednn.engine(), DNNL_MEMORY_NONE);
  kernel.scratchpad = dnnl::memory(description.scratchpad_desc(), onednn.engine(), DNNL_MEMORY_NONE);
  return kernel;
}

std::string Matmul::implementation() const {
  std::string text = kernels_.front().implementation;
  for (std::size_t i = 1; i < kernels_.size(); ++i) {
    if (kernels_[i].implementation == kernels_[i - 1].implementation) continue;
    text += ", from " + std::to_string(kernels_[i].rows) + " rows " + kernels_[i].implementation;
  }
  return text;
}

const Matmul::Kernel& Matmul::kernel_for(std::int64_t rows) const {
  const auto found = std::lower_bound(kernels_.begin(), kernels_.end(), rows,
                                      [](const Kernel& kernel, std::int64_t wanted) { return kernel.rows < wanted; });
  if (found == kernels_.end()) {
    throw std::invalid_argument(text_of(shape_) + ": expected at most " + std::to_string(kernels_.back().rows) +
                                " rows, found " + std::to_string(rows));
  }
  return *found;
}

void Matmul::execute(const dnnl::stream& stream, std::int64_t rows, const void* in, const dnnl::memory& weight,
                     const dnnl::memory& scales, float* out, void* scratchpad) const {
  const std::int64_t in_bytes =
      shape_.in * static_cast<std::int64_t>(dnnl::memory::data_type_size(input_type(shape_.arithmetic)));
  const std::int64_t out_stride = shape_.out_stride > 0 ? shape_.out_stride : shape_.out;
  const auto* source = static_cast<const std::byte*>(in);
  for (std::int64_t first = 0; first < rows;) {
    const std::int64_t count = rows_at_once(rows - first);
    run_kernel(kernel_for(count), stream, source + first * in_bytes, weight, scales, out + first * out_stride,
               scratchpad);
    first += count;
  }
}

void Matmul::run_kernel(const Kernel& kernel, const dnnl::stream& stream, const std::byte* in,
                        const dnnl::memory& weight, const dnnl::memory& scales, float* out, void* scratchpad) const {
  // oneDNN's memory has one non-const pointer for both directions; matmul only reads its source.
  kernel.in.set_data_handle(const_cast<std::byte*>(in));
  kernel.out.set_data_handle(out);
  kernel.scratchpad.set_data_handle(scratchpad);
  // The C function instead of primitive::execute, whose argument map allocates at every call.
  const std::array<dnnl_exec_arg_t, 5> arguments{{{DNNL_ARG_SRC, kernel.in.get()},
                                                  {DNNL_ARG_WEIGHTS, weight.get()},
                                                  {DNNL_ARG_DST, kernel.out.get()},
                                                  {DNNL_ARG_SCRATCHPAD, kernel.scratchpad.get()},
                                                  {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, scales.get(true)}}};
  const int count = shape_.arithmetic == Arithmetic::int8 ? 5 : 4;
  dnnl::error::wrap_c_api(dnnl_primitive_execute(kernel.primitive.get(), stream.get(), count, arguments.data()),
                          "matmul failed");
}

const Matmul& MatmulPool::get(const MatmulShape& shape, const std::string& layer) {
  auto& matmul = matmuls_[shape];
  if (!matmul) matmul = std::make_unique<Matmul>(onednn_, shape, max_rows_, layer);
  const auto needed = static_cast<std::int64_t>(matmul->scratchpad_bytes());
  if (needed > scratchpad_.size()) scratchpad_ = AlignedBuffer<std::byte>(needed);
  return *matmul;
}

void MatmulPool::reserve_unpacked(std::int64_t floats) {
  if (floats > unpacked_.size()) unpacked_ = AlignedBuffer<float>(floats);
}

void MatmulPool::reserve_joined(std::int64_t codes) {
  if (codes > joined_.size()) joined_ = AlignedBuffer<std::int16_t>(codes);
}

void MatmulPool::reserve_planes(std::int64_t floats) {
  const std::int64_t needed = std::max(floats, kPlaneFloats);
  if (needed > planes_.size()) planes_ = AlignedBuffer<float>(needed);
}

std::int64_t MatmulPool::plane_rows(std::int64_t out) const {
  const std::int64_t fit = std::min(planes_.size() / out, row_bucket(max_rows_));
  return *std::prev(std::upper_bound(kRowBuckets.begin(), kRowBuckets.end(), fit));
}

}  // namespace retort::runtime
