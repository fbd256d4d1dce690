// Small models with random weights, written as Hugging Face folders in a temporary place, for tests of the runtime.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "model/model_folder.h"

namespace retort::runtime::testing {

/// A folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

using Weights = std::map<std::string, std::vector<float>>;  // by Hugging Face name

/// Sizes that no vector length divides: D 70, F 97, H 6, K 2, head_dim 10, V 131, L 3; tied embedding.
model::ModelConfig awkward_config();

/// The same sizes as another family: "qwen2" (biases, layer 1 slides over 7 positions, YaRN), "qwen3" (norms of queries
/// and keys), "llama3" (its RoPE scaling, all four biases, untied head), "gemma3" (norms of 1 + w on both sides of both
/// blocks, scaled embedding, GeGLU; layers 0 and 1 slide over 7 positions on a rotary base of their own), "prefix"
/// (prompts are read in both directions, up to token 45).
model::ModelConfig awkward_config(const std::string& family);

/// Inputs that groups of 64 divide, and a vocabulary and projections that leave tails of 64; full attention.
model::ModelConfig grouped_config(const std::string& family, bool tied);

/// Normal, standard deviation 1/sqrt(in) for matrices; norms near 1, biases near 0.
Weights random_weights(const model::ModelConfig& config, std::uint32_t seed);
std::vector<float> random_values(std::int64_t count, std::mt19937& random, float deviation = 1.0f);

/// How the linear layers are stored, but those in `ignore` and, unless pure, a tied head, which stay f32.
enum class Storage {
  f32,
  int8,             ///< w = code · max|row| / 127, with int8 activations
  w8a16,            ///< the same codes with float activations
  int4,             ///< w = code · max|group| / 7 in groups of 64, or 32 where only that divides; else as w8a16
  int4_pure,        ///< the embedding as well
  int4_asymmetric,  ///< int4_pure with zero points, every other scale negative: w = (code − zero) · scale
  mixed,            ///< layer by layer, q/k/v and gate/up alike: int4, asymmetric int4, w8a16, f32 in turn
};
void write_model(const std::filesystem::path& folder, const model::ModelConfig& config, const Weights& weights,
                 Storage storage, const std::vector<std::string>& ignore = {});

}  // namespace retort::runtime::testing
