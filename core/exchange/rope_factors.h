// Llama 3's rotary scaling as GGUF files hold it: what each frequency is divided by, in the tensor rope_freqs.weight.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/model_config.h"

namespace retort::exchange {

/// [head_dim/2] in f32 for RopeType::llama3, empty for another type.
std::vector<float> rope_factors(const model::ModelConfig& config);

/// The llama3 scaling with these factors. Different parameters can give the same factors; `original_positions` (0: not
/// known, 8192 as in all published models) picks one of them. Throws std::invalid_argument beginning with `origin` if
/// no such scaling gives them.
model::RopeScaling rope_scaling_of_factors(const std::vector<float>& factors, double theta, std::int64_t head_dim,
                                           std::int64_t original_positions, const std::string& origin);

}  // namespace retort::exchange
