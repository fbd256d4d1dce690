// See linear.h.
#include "runtime/linear.h"

#include <algorithm>

#include "runtime/vector_kernels.h"

namespace retort::runtime {
namespace {

MatmulShape kernel_shape(const OneDnnEngine& onednn, MatmulShape shape) {
  if (!onednn.multiplies_int8_exactly()) shape.arithmetic = Arithmetic::f32;
  return shape;
}

dnnl::memory pack(const OneDnnEngine& onednn, const LinearWeights& weights, Arithmetic arithmetic,
                  const dnnl::memory::desc& packed) {
  const std::vector<float> values = arithmetic == Arithmetic::f32 ? dequantized(weights) : std::vector<float>();
  const void* data = values.empty() ? static_cast<const void*>(weights.codes.data()) : values.data();
  // Row-major [out,in] is [in,out] with unit stride along `in`. The reorder only reads its source.
  const dnnl::memory::desc plain({weights.shape.in, weights.shape.out}, packed.get_data_type(),
                                 dnnl::memory::dims{1, weights.shape.in});
  dnnl::memory source(plain, onednn.engine(), const_cast<void*>(data));
  dnnl::memory target(packed, onednn.engine());
  dnnl::stream stream = onednn.stream();
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return target;
}

dnnl::memory copy_scales(const OneDnnEngine& onednn, const std::vector<float>& scales) {
  const dnnl::memory::desc vector({static_cast<std::int64_t>(scales.size())}, dnnl::memory::data_type::f32,
                                  dnnl::memory::format_tag::a);
  dnnl::memory memory(vector, onednn.engine());
  std::copy(scales.begin(), scales.end(), static_cast<float*>(memory.get_data_handle()));
  return memory;
}

}  // namespace

Linear::Linear(MatmulPool& pool, const LinearWeights& weights)
    : name_(weights.name),
      shape_(weights.shape),
      kernel_shape_(kernel_shape(pool.onednn(), weights.shape)),
      pool_(pool),
      matmul_(pool.get(kernel_shape_, weights.name)) {
  const ThreadCountScope threads(pool.onednn().threads());
  weight_ = pack(pool.onednn(), weights, kernel_shape_.arithmetic, matmul_.packed_weight());
  if (kernel_shape_.arithmetic == Arithmetic::int8) scales_ = copy_scales(pool.onednn(), weights.scales);
}

void Linear::finish_row(const Activation& in, std::int64_t row, float maximum) const {
  in.row_scales[row] = 1.0f;
  if (!quantized()) return;
  float* values = in.values + row * shape_.in;
  std::int8_t* codes = in.codes + row * shape_.in;
  in.row_scales[row] = quantize_row(values, shape_.in, maximum, codes);
  if (codes_as_f32()) std::copy(codes, codes + shape_.in, values);
}

void Linear::run(std::int64_t rows, const Activation& in, float* out) const {
  const void* source = kernel_shape_.arithmetic == Arithmetic::int8 ? static_cast<const void*>(in.codes) : in.values;
  matmul_.execute(pool_.onednn().stream(), rows, source, weight_, scales_, out, pool_.scratchpad());
}

std::string Linear::implementation() const {
  return name_.substr(name_.rfind('.') + 1) + " " + text_of(shape_) +
         (codes_as_f32() ? ", multiplied in f32 (no VNNI): " : ": ") + matmul_.implementation();
}

}  // namespace retort::runtime
