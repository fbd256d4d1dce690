// See linear.h. The kernels are in float_linear.cpp, int8_linear.cpp and int4_linear.cpp.
#include "runtime/linear/linear.h"

#include <stdexcept>

namespace retort::runtime {
namespace {

std::unique_ptr<LinearKernel> make_kernel(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice) {
  const ThreadCountScope threads(pool.onednn().threads());
  switch (weights.form) {
    case WeightForm::int8:
      return int8_kernel(pool, weights, choice);
    case WeightForm::int4:
      return int4_kernel(pool, weights, choice);
    default:
      return float_kernel(pool, weights, choice);
  }
}

std::string text_of(WeightForm form, std::int64_t out, std::int64_t in) {
  const char* names[] = {"f32", "bf16", "int8", "int4"};
  return std::string(names[static_cast<int>(form)]) + " [" + std::to_string(out) + "," + std::to_string(in) + "]";
}

}  // namespace

Linear::Linear(MatmulPool& pool, const LinearWeights& weights, KernelChoice choice)
    : name_(weights.name),
      in_(weights.in),
      out_(weights.out),
      form_(weights.form),
      kernel_(make_kernel(pool, weights, choice)) {
  weights.release();
}

void LinearKernel::repack(const LinearWeights& weights) {
  throw std::invalid_argument(weights.name + ": expected float weights to replace, found quantised ones in use");
}

void Linear::repack(const LinearWeights& weights) {
  if (weights.form != form_ || weights.in != in_ || weights.out != out_)
    throw std::invalid_argument(weights.name + ": expected " + text_of(form_, out_, in_) + ", as in use, found " +
                                text_of(weights.form, weights.out, weights.in));
  kernel_->repack(weights);
}

void Linear::run(LinearProduct product) const {
  if (product.rows > 1) {
    product.preparation();
    product.preparation = {};
  }
  kernel_->run(product);
}

std::string Linear::implementation() const {
  return name_.substr(name_.rfind('.') + 1) + " " + text_of(form_, out_, in_) + ": " + kernel_->implementation();
}

}  // namespace retort::runtime
