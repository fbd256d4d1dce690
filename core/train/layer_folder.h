// A model folder in which one layer alone is quantised: what the runtime measures to tell what that layer's codes cost
// and save. Internal to core/train.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "train/folder_tensors.h"
#include "train/storage_plan.h"
#include "train/task_files.h"

namespace retort::train {

using NamedTensors = std::map<std::string, torch::Tensor>;
using NamedCodes = std::map<std::string, Codes>;  ///< by module

/// `tensors`: the float model by tensor name; `codes`: of the layer's modules, as `quantizer` has them stored; none:
/// the float model. Throws std::invalid_argument where the format does not hold the quantizer's scheme.
void write_layer_folder(const std::filesystem::path& folder, const model::ModelConfig& config, const TaskFiles& task,
                        const NamedTensors& tensors, const NamedCodes& codes, std::int64_t layer,
                        const host::QuantizerCall& quantizer);

}  // namespace retort::train
