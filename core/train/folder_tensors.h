// The tensors of a model folder that is being made, by module, in the forms of model/model_folder.h. Kept as they will
// be stored, so that a compressed layer takes its compressed size. Internal to core/train.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "model/model_config.h"
#include "model/stored_tensor.h"
#include "train/libtorch.h"

namespace retort::train {

/// A quantised weight: w = scale · (code − zero point). Q groups a row.
struct Codes {
  torch::Tensor codes;        ///< [O,I] int8; [O,I] uint8 where there are zero points
  torch::Tensor scales;       ///< [O,Q] f32
  torch::Tensor zero_points;  ///< [O,Q] int32, or undefined
  /// [O,I] f32, as the runtime reads it.
  torch::Tensor restored() const;
};

/// int8 per row, rounded to the nearest: what a model of int4 layers has where int4 groups do not fit.
Codes int8_rows(const torch::Tensor& weight);

class FolderTensors {
 public:
  /// `name` ends with ".weight" or ".bias".
  void add_float(const std::string& name, const torch::Tensor& tensor);
  /// "int-quantized": codes and one scale a row.
  void add_int8(const std::string& module, const Codes& codes);
  /// "pack-quantized": eight codes an int32 along the columns; zero points likewise along the rows. Scales are bf16
  /// where that is exact: half the bytes to read for every token.
  void add_int4(const std::string& module, const Codes& codes);
  /// In the order of model::tensor_shapes(). Valid as long as this object lives.
  std::vector<model::StoredTensor> views(const model::ModelConfig& config) const;

 private:
  void add(const std::string& key, const std::string& name, model::DataType type, const torch::Tensor& tensor);
  std::deque<torch::Tensor> kept_;
  std::map<std::string, std::vector<model::StoredTensor>> views_;  ///< by the name of the float tensor
};

}  // namespace retort::train
