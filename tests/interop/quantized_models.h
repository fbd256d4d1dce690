// Small quantised models, the same bytes on every machine, that another implementation has read
// (quantized_models.json).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/model_folder.h"

namespace retort::interop {

/// A scheme of stage.quantize on one kind of model.
struct QuantizedModel {
  std::string name;
  bool tied = true;             ///< the head is the embedding
  std::int64_t group_size = 0;  ///< of int4 layers; 0: all int8 per channel
  int activation_bits = 8;      ///< of int8 layers; 0: float
  bool pure = false;            ///< with int4 layers, the embedding and the head int4 too
  bool asymmetric = false;      ///< of int4 layers: with zero points
};

/// int8 and int4, also pure and with zero points, head tied and not, with int8 and float activations; where groups of
/// 64 do not divide down_proj, it is int8.
const std::vector<QuantizedModel>& quantized_models();

model::ModelConfig shape_of(const QuantizedModel& model);

/// Makes weights from a linear congruential generator, rounds them as quantize.rtn does and writes the folder.
void write_quantized_model(const std::filesystem::path& folder, const QuantizedModel& model);

}  // namespace retort::interop
