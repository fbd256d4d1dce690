// A Hugging Face model folder: config.json, *.safetensors (sharded or not), and Retort's own retort.json beside them.
// Understands compressed-tensors int8 per channel and int4 in groups (quantization_config.h says which).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/linear_weight.h"
#include "model/model_config.h"
#include "model/safetensors.h"
#include "model/stored_tensor.h"

namespace retort::model {

/// An opened folder; views stay valid as long as it lives. Safe to share between threads.
class ModelFolder {
 public:
  /// Opens `folder` and checks that every tensor that the config needs is there with its shape and type. Where
  /// config.json ties the head and the files have another one, the stored head counts, as in Transformers: config()
  /// says that it is not tied. Biases that config.json denies are refused unless they are 0. Throws std::runtime_error
  /// or std::invalid_argument: file, tensor, expected, found, what to do.
  explicit ModelFolder(const std::filesystem::path& folder);
  /// The same of tensors in memory, which are borrowed, for weights that are made and used in one process; `origin` is
  /// what errors and path() call it, `quantization_config` that of config.json (null: all float).
  ModelFolder(const ModelConfig& config, std::vector<StoredTensor> tensors, const std::string& origin,
              const nlohmann::json& quantization_config = nullptr);
  ~ModelFolder();
  ModelFolder(ModelFolder&&) noexcept;

  const std::filesystem::path& path() const;
  const ModelConfig& config() const;
  const nlohmann::json& config_json() const;  ///< config.json as it stands in the folder
  /// What a person should know of these files, one sentence each: tensors that nothing reads, a second set of weights,
  /// keys that contradict each other, and what is made of them.
  const std::vector<std::string>& notices() const;
  bool quantized() const;                                     ///< has a quantization_config
  const StoredTensor& tensor(const std::string& name) const;  ///< throws if absent
  LinearWeight linear(const std::string& module) const;       ///< "model.layers.0.self_attn.q_proj"
  LinearWeight head() const;                                  ///< lm_head, or the embedding where it is tied
  /// SafetensorsFile::release for a tensor of this folder.
  void release(const StoredTensor& tensor, std::size_t first, std::size_t bytes) const;
  /// Names of the files in path() that hold the weights; none of a folder in memory.
  std::vector<std::string> weight_files() const;
  std::int64_t weight_bytes() const;     ///< bytes of the model's tensors as stored; not of those that nothing reads
  const nlohmann::json& retort() const;  ///< retort.json, or an empty object

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Hugging Face names of every float tensor of a model of this shape, with their shapes, in file order:
/// model.embed_tokens.weight [V,D], model.layers.N.{input_layernorm,self_attn.{q,k,v,o}_proj,
/// post_attention_layernorm,mlp.{gate,up,down}_proj}.weight, model.norm.weight, lm_head.weight (if not tied); then,
/// where the family has them, each layer's self_attn.{q,k,v,o}_proj.bias, post_{attention,feedforward}_layernorm.weight
/// (then pre_feedforward_layernorm stands among the first) and self_attn.{q,k}_norm.weight.
std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensor_shapes(const ModelConfig& config);

/// Writes config.json and model.safetensors into `folder` (made if absent). `tensors` under their Hugging Face names;
/// a quantised module has, instead of a float "<module>.weight" [out,in],
///   int8  "<module>.weight" I8 [out,in] and "<module>.weight_scale" F32 [out,1]
///   int4  "<module>.weight_packed" I32 [out,⌈in/8⌉] (see LinearWeight),
///         "<module>.weight_scale" F32, F16 or BF16 [out,in/group]
///         and "<module>.weight_shape" I64 [2]; with zero points "<module>.weight_zero_point" I32 [⌈out/8⌉,in/group]
///         too
/// Beside an int8 embedding that is the head too its scale is written a second time, as "lm_head.weight_scale", which
/// other readers need. `quantization_config` (see quantization_config.h) is stored in config.json when not null.
void save_model(const std::filesystem::path& folder, const ModelConfig& config, std::vector<StoredTensor> tensors,
                const nlohmann::json& quantization_config = nullptr);

/// How the embedding is stored. With a tied head it is the head's weight too.
enum class EmbeddingStorage { floating_point, int8 };

/// The compressed-tensors description of int8 per output channel, symmetric, for all Linear layers, with dynamic
/// per-token int8 activations; `ignore` names modules left in float (e.g. "lm_head"). An int8 embedding is a second
/// group, weights only. Other schemes: quantization_config().
nlohmann::json int8_quantization_config(const std::vector<std::string>& ignore,
                                        EmbeddingStorage embedding = EmbeddingStorage::floating_point);

}  // namespace retort::model
