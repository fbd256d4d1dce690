// Model folders of well-known shapes with random weights, so that speed can be measured and compared without a
// download. What such a model says is noise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/model_config.h"

namespace retort::runtime {

enum class SyntheticWeights {
  bf16,       ///< every tensor
  int8,       ///< per channel: linear layers, with int8 activations (W8A8), and the embedding; norms and biases float
  w8a16,      ///< the same with float activations
  int4,       ///< linear layers in groups of 64; the embedding, which is the head too where it is tied, int8
  int4_pure,  ///< the embedding in groups of 64 as well
};

/// "qwen2.5-0.5b", "smollm2-135m", …: names that synthetic_config() takes.
std::vector<std::string> synthetic_shapes();

/// The published shape. Throws std::invalid_argument for another name, listing those that are known.
model::ModelConfig synthetic_config(const std::string& shape);

/// Writes config.json and model.safetensors into `folder` (made if absent). The same seed gives the same bytes.
/// Deviations are 1/sqrt(in), so that activations stay of order 1. Throws as save_model.
void write_synthetic_model(const std::filesystem::path& folder, const model::ModelConfig& config,
                           SyntheticWeights weights, std::uint64_t seed);

}  // namespace retort::runtime
