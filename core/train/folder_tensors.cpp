#include "train/folder_tensors.h"

#include <algorithm>
#include <span>

#include "model/linear_weight.h"
#include "model/model_folder.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// Codes as they are stored: signed, an unsigned one less 8.
Tensor signed_codes(const Tensor& codes, bool asymmetric) {
  return (asymmetric ? codes.to(torch::kInt32).sub(8).to(torch::kInt8) : codes).contiguous();
}

std::span<const std::int8_t> elements(const Tensor& codes) {
  return {codes.data_ptr<std::int8_t>(), static_cast<std::size_t>(codes.numel())};
}

}  // namespace

Tensor Codes::restored() const {
  const std::int64_t rows = codes.size(0), groups = scales.size(1);
  Tensor levels = codes.to(torch::kFloat32).view({rows, groups, -1});  // in place: an embedding is large
  if (zero_points.defined()) levels.sub_(zero_points.to(torch::kFloat32).unsqueeze(-1));
  return levels.mul_(scales.unsqueeze(-1)).view(codes.sizes());
}

Codes int8_rows(const Tensor& weight) {
  constexpr std::int64_t rows_at_once = 4096;
  Codes made{torch::empty(weight.sizes(), torch::kInt8), torch::empty({weight.size(0), 1}, torch::kFloat32), {}};
  for (std::int64_t begin = 0; begin < weight.size(0); begin += rows_at_once) {
    const std::int64_t count = std::min(rows_at_once, weight.size(0) - begin);
    const Tensor rows = weight.narrow(0, begin, count);
    const Tensor largest = rows.to(torch::kFloat64).abs().amax(1, true);
    const Tensor scales = torch::where(largest > 0, largest / 127, torch::ones_like(largest)).to(torch::kFloat32);
    made.codes.narrow(0, begin, count).copy_((rows / scales).round().clamp(-127, 127).to(torch::kInt8));
    made.scales.narrow(0, begin, count).copy_(scales);
  }
  return made;
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
  const bool asymmetric = codes.zero_points.defined();
  const Tensor flat = signed_codes(codes.codes, asymmetric);
  const std::int64_t rows = flat.size(0), columns = flat.size(1);
  add(weight, weight + "_packed", model::DataType::i32,
      torch::tensor(model::pack_int4(elements(flat), rows, columns), torch::kInt32)
          .view({rows, model::packed_int4_columns(columns)}));
  const Tensor halves = codes.scales.to(torch::kBFloat16);
  if (halves.to(torch::kFloat32).equal(codes.scales))
    add(weight, weight + "_scale", model::DataType::bf16, halves);
  else
    add(weight, weight + "_scale", model::DataType::f32, codes.scales);
  if (asymmetric) {
    const Tensor zeros = signed_codes(codes.zero_points, true);
    add(weight, weight + "_zero_point", model::DataType::i32,
        torch::tensor(model::pack_zero_points(elements(zeros), rows, zeros.size(1)), torch::kInt32)
            .view({model::packed_int4_columns(rows), zeros.size(1)}));
  }
  add(weight, weight + "_shape", model::DataType::i64, torch::tensor({rows, columns}, torch::kInt64));
}

std::vector<model::StoredTensor> FolderTensors::views(const model::ModelConfig& config) const {
  std::vector<model::StoredTensor> all;
  for (const auto& entry : model::tensor_shapes(config))
    for (const model::StoredTensor& view : views_.at(entry.first)) all.push_back(view);
  return all;
}

void FolderTensors::add(const std::string& key, const std::string& name, model::DataType type, const Tensor& tensor) {
  kept_.push_back(tensor.detach().cpu().contiguous());
  views_[key].push_back(
      {name, type, kept_.back().sizes().vec(), static_cast<const std::byte*>(kept_.back().data_ptr())});
}

}  // namespace retort::train
