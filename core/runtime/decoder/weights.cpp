// See weights.h.
#include "runtime/decoder/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "runtime/kernels/bfloat16.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {
namespace {

/// The largest group that the kernels know and that divides the weight's own; 0 if none does. Behind a scale for the
/// whole row there is nothing to divide.
std::int64_t packed_group(const model::LinearWeight& weight) {
  if (weight.group_size == 0 || weight.group_size >= weight.shape[1]) return 128;
  for (const std::int64_t group : {128, 64, 32})
    if (weight.group_size % group == 0) return group;
  return 0;
}

WeightForm form_of(const model::LinearWeight& weight) {
  if (weight.bits == 8) return WeightForm::int8;
  if (weight.bits == 4 && packed_group(weight) > 0) return WeightForm::int4;
  if (weight.bits == 0 && weight.weight->type == model::DataType::bf16) return WeightForm::bf16;
  return WeightForm::f32;
}

template <class T>
T load(const model::StoredTensor& tensor, std::int64_t index) {
  T value{};
  std::memcpy(&value, tensor.data + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

void read_int4_row(const model::LinearWeight& weight, std::int64_t row, float* target) {
  const std::int64_t in = weight.shape[1], words = model::packed_int4_columns(in);
  const std::int64_t group = weight.group_size > 0 ? std::min(weight.group_size, in) : in;
  const std::int64_t groups = (in + group - 1) / group;
  for (std::int64_t i = 0; i < in; ++i) {
    const auto word = load<std::uint32_t>(*weight.weight, row * words + i / 8);
    const int code = static_cast<int>((word >> (4 * (i % 8))) & 15U) - 8 - model::zero_point(weight, row, i / group);
    target[i] = static_cast<float>(code) * element(*weight.scale, row * groups + i / group);
  }
}

}  // namespace

void LinearWeights::release() const {
  if (source == nullptr) return;
  for (const model::LinearWeight& part : parts) {
    source->release(*part.weight, 0, part.weight->bytes());
    for (const model::StoredTensor* more : {part.scale, part.zero_point})
      if (more != nullptr) source->release(*more, 0, more->bytes());
  }
}

std::vector<float> finite_f32(const model::StoredTensor& tensor, const std::string& folder) {
  std::vector<float> values = model::to_f32(tensor);
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return values;
  throw std::runtime_error(folder + ": tensor '" + tensor.name + "', element " + std::to_string(bad - values.begin()) +
                           " is " + (std::isnan(*bad) ? "NaN" : "infinite") +
                           ", expected finite weights: training diverged or the file is damaged; use an earlier "
                           "checkpoint or make the model again");
}

std::vector<float> norm_weight(const model::ModelFolder& folder, const std::string& module) {
  std::vector<float> values = finite_f32(folder.tensor(module + ".weight"), folder.path().string());
  const auto offset = static_cast<float>(folder.config().norm_offset());
  for (float& value : values) value += offset;
  return values;
}

void require_finite(const LinearWeights& weights) {
  for (const model::LinearWeight& part : weights.parts)
    finite_f32(part.quantized() ? *part.scale : *part.weight, weights.folder);
}

LinearWeights join(std::string name, std::string folder, std::vector<model::LinearWeight> parts) {
  LinearWeights weights{std::move(name), std::move(folder)};
  weights.in = parts.front().shape[1];
  weights.form = form_of(parts.front());
  weights.group_size = weights.form == WeightForm::int4 ? packed_group(parts.front()) : 0;
  for (const model::LinearWeight& part : parts) {
    weights.out += part.shape[0];
    if (form_of(part) != weights.form) weights.form = WeightForm::f32;
    if (weights.form == WeightForm::int4) weights.group_size = std::min(weights.group_size, packed_group(part));
  }
  if (weights.form != WeightForm::int4) weights.group_size = 0;
  const bool int8_activations = std::all_of(parts.begin(), parts.end(),
                                            [](const model::LinearWeight& part) { return part.activation_bits == 8; });
  weights.activation_bits = int8_activations ? 8 : 0;
  weights.parts = std::move(parts);
  return weights;
}

LinearWeights read_fused(const model::ModelFolder& folder, const std::string& prefix,
                         const std::vector<std::string>& names) {
  std::string joined;
  std::vector<model::LinearWeight> parts;
  for (const std::string& name : names) {
    joined += (joined.empty() ? "" : "+") + name;
    parts.push_back(folder.linear(prefix + "." + name));
  }
  LinearWeights weights = join(prefix + "." + joined, folder.path().string(), std::move(parts));
  weights.source = &folder;
  return weights;
}

LinearWeights read_embedding(const model::ModelFolder& folder) {
  return read_fused(folder, "model", {"embed_tokens"});
}

LinearWeights read_head(const model::ModelFolder& folder) {
  if (folder.config().tie_word_embeddings) return read_embedding(folder);
  LinearWeights weights = join("lm_head", folder.path().string(), {folder.head()});
  weights.source = &folder;
  return weights;
}

float element(const model::StoredTensor& tensor, std::int64_t index) {
  if (tensor.type == model::DataType::f32) return load<float>(tensor, index);
  const ScaleType half = tensor.type == model::DataType::f16 ? ScaleType::f16 : ScaleType::bf16;
  return float_of_half(load<std::uint16_t>(tensor, index), half);
}

void read_row(const model::LinearWeight& weight, std::int64_t row, float* target) {
  if (weight.bits == 4) return read_int4_row(weight, row, target);
  const std::int64_t in = weight.shape[1], first = row * in;
  if (weight.bits == 8) {
    const float scale = element(*weight.scale, row);
    for (std::int64_t i = 0; i < in; ++i)
      target[i] = static_cast<float>(load<std::int8_t>(*weight.weight, first + i)) * scale;
  } else if (weight.weight->type == model::DataType::f32) {
    std::memcpy(target, weight.weight->data + first * 4, static_cast<std::size_t>(in) * 4);
  } else {
    for (std::int64_t i = 0; i < in; ++i) target[i] = element(*weight.weight, first + i);
  }
}

std::vector<float> dequantized(const LinearWeights& weights) {
  std::vector<float> values(static_cast<std::size_t>(weights.out * weights.in));
  float* target = values.data();
  for (const model::LinearWeight& part : weights.parts) {
    for (std::int64_t row = 0; row < part.shape[0]; ++row, target += weights.in) read_row(part, row, target);
  }
  return values;
}

}  // namespace retort::runtime
