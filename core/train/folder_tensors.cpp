#include "train/folder_tensors.h"

#include "model/linear_weight.h"
#include "model/model_folder.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// Values [R,C] in [0,15], eight rows an int32, row 8r + k in bits 4k and up; the rows behind the last are 0
/// (compressed-tensors, pack_to_int32 with packed_dim 0).
Tensor packed_rows(const Tensor& values) {
  const std::int64_t rows = values.size(0), columns = values.size(1), words = (rows + 7) / 8;
  Tensor padded = torch::zeros({words * 8, columns}, torch::kInt64);
  padded.narrow(0, 0, rows).copy_(values);
  const Tensor shifts = torch::arange(0, 32, 4).view({1, 8, 1});
  const Tensor wide = padded.view({words, 8, columns}).bitwise_left_shift(shifts).sum(1);
  return torch::where(wide >= (1LL << 31), wide - (1LL << 32), wide).to(torch::kInt32);
}

}  // namespace

Tensor Codes::restored() const {
  const std::int64_t rows = codes.size(0), groups = scales.size(1);
  Tensor levels = codes.to(torch::kFloat32).view({rows, groups, -1});
  if (zero_points.defined()) levels = levels - zero_points.to(torch::kFloat32).unsqueeze(-1);
  return (levels * scales.unsqueeze(-1)).view(codes.sizes());
}

Codes int8_rows(const Tensor& weight) {
  const Tensor largest = weight.to(torch::kFloat64).abs().amax(1, true);
  const Tensor scales = torch::where(largest > 0, largest / 127, torch::ones_like(largest)).to(torch::kFloat32);
  return {(weight / scales).round().clamp(-127, 127).to(torch::kInt8), scales, {}};
}

void FolderTensors::add_float(const std::string& name, const Tensor& tensor) {
  add(name, name, model::DataType::f32, tensor);
}

void FolderTensors::add_int8(const std::string& module, const Codes& codes) {
  const std::string weight = module + ".weight";
  add(weight, weight, model::DataType::i8, codes.codes);
  add(weight, weight + "_scale", model::DataType::f32, codes.scales);
}

void FolderTensors::add_int4(const std::string& module, const Codes& codes) {
  const std::string weight = module + ".weight";
  // Stored codes and zero points are signed: an unsigned one less 8.
  const Tensor flat =
      (codes.zero_points.defined() ? codes.codes.to(torch::kInt16).sub(8).to(torch::kInt8) : codes.codes).contiguous();
  const std::int64_t rows = flat.size(0), columns = flat.size(1);
  const std::vector<std::int32_t> packed =
      model::pack_int4({flat.data_ptr<std::int8_t>(), static_cast<std::size_t>(flat.numel())}, rows, columns);
  add(weight, weight + "_packed", model::DataType::i32,
      torch::tensor(packed, torch::kInt32).view({rows, model::packed_int4_columns(columns)}));
  const Tensor halves = codes.scales.to(torch::kBFloat16);
  if (halves.to(torch::kFloat32).equal(codes.scales))
    add(weight, weight + "_scale", model::DataType::bf16, halves);
  else
    add(weight, weight + "_scale", model::DataType::f32, codes.scales);
  if (codes.zero_points.defined())
    add(weight, weight + "_zero_point", model::DataType::i32, packed_rows(codes.zero_points));
  add(weight, weight + "_shape", model::DataType::i64, torch::tensor({rows, columns}, torch::kInt64));
}

std::vector<model::StoredTensor> FolderTensors::views(const model::ModelConfig& config) const {
  std::vector<model::StoredTensor> all;
  for (const auto& entry : model::tensor_shapes(config))
    for (const model::StoredTensor& view : views_.at(entry.first)) all.push_back(view);
  return all;
}

void FolderTensors::add(const std::string& key, const std::string& name, model::DataType type, const Tensor& tensor) {
  kept_.push_back(tensor.detach().contiguous().clone());
  views_[key].push_back(
      {name, type, kept_.back().sizes().vec(), static_cast<const std::byte*>(kept_.back().data_ptr())});
}

}  // namespace retort::train
