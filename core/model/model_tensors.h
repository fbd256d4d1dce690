// Which tensors the weight files of a model must hold, and how each may be stored. For model_folder.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/linear_weight.h"
#include "model/model_config.h"
#include "model/quantization_config.h"

namespace retort::model {

using TensorIndex = std::map<std::string, const StoredTensor*>;

/// Null if absent.
const StoredTensor* find_tensor(const TensorIndex& index, const std::string& name);

/// The weight of "model.layers.0.self_attn.q_proj" as it is stored; `weight` is null if absent. For checked tensors.
LinearWeight find_linear(const TensorIndex& index, const std::string& module);

/// Every tensor that the config needs is there with its shape, in a type that is understood; matrices may be stored in
/// one of `schemes` (empty: all float). Throws std::invalid_argument "origin: tensor …: expected …, found …".
void check_tensors(const ModelConfig& config, const TensorIndex& index, const std::vector<WeightScheme>& schemes,
                   const std::string& origin);

/// The names of tensors that are neither of tensor_shapes nor part of a quantised weight.
std::vector<std::string> unknown_tensors(const ModelConfig& config, const TensorIndex& index);

/// For writing: throws for a tensor that is neither of tensor_shapes nor part of a quantised weight.
void refuse_unknown_tensors(const ModelConfig& config, const TensorIndex& index, const std::string& origin);

}  // namespace retort::model
