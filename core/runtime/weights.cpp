// See weights.h.
#include "runtime/weights.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace retort::runtime {
namespace {

void append(LinearWeights& target, LinearWeights source) {
  if (target.shape.arithmetic != source.shape.arithmetic) {
    for (LinearWeights* part : {&target, &source}) {
      part->values = dequantized(*part);
      part->shape.arithmetic = Arithmetic::f32;
      part->codes.clear();
      part->scales.clear();
    }
  }
  target.shape.out += source.shape.out;
  target.values.insert(target.values.end(), source.values.begin(), source.values.end());
  target.codes.insert(target.codes.end(), source.codes.begin(), source.codes.end());
  target.scales.insert(target.scales.end(), source.scales.begin(), source.scales.end());
}

}  // namespace

std::vector<float> finite_f32(const model::TensorView& tensor, const std::string& folder) {
  std::vector<float> values = model::to_f32(tensor);
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return values;
  throw std::runtime_error(folder + ": tensor '" + tensor.name + "', element " + std::to_string(bad - values.begin()) +
                           " is " + (std::isnan(*bad) ? "NaN" : "infinite") +
                           ", expected finite weights: training diverged or the file is damaged; use an earlier "
                           "checkpoint or make the model again");
}

LinearWeights read_linear(const model::LinearWeight& weight, const std::string& module, const std::string& folder) {
  LinearWeights result;
  result.name = module;
  result.shape = {weight.bits == 8 ? Arithmetic::int8 : Arithmetic::f32, weight.shape[1], weight.shape[0]};
  if (!weight.quantized()) {
    result.values = finite_f32(*weight.weight, folder);
    return result;
  }
  std::vector<float> scales = finite_f32(*weight.scale, folder);
  if (weight.bits == 4) {
    result.values = model::to_f32(weight);
  } else {
    result.codes = model::codes_of(weight);
    result.scales = std::move(scales);
  }
  return result;
}

std::vector<float> dequantized(const LinearWeights& weights) {
  if (weights.shape.arithmetic == Arithmetic::f32) return weights.values;
  std::vector<float> values(weights.codes.size());
  const auto columns = static_cast<std::size_t>(weights.shape.in);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(weights.codes[i]) * weights.scales[i / columns];
  }
  return values;
}

LinearWeights read_fused(const model::ModelFolder& folder, const std::string& prefix,
                         const std::vector<std::string>& names) {
  LinearWeights fused;
  std::string joined;
  for (const std::string& name : names) {
    const std::string module = prefix + "." + name;
    LinearWeights part = read_linear(folder.linear(module), module, folder.path().string());
    joined += (joined.empty() ? "" : "+") + name;
    if (fused.shape.out == 0) {
      fused = std::move(part);
    } else {
      append(fused, std::move(part));
    }
  }
  fused.name = prefix + "." + joined;
  return fused;
}

}  // namespace retort::runtime
