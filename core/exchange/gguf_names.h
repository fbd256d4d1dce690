// Names of the same things in the two worlds: tensors and architectures.
// Source: llama.cpp's gguf-py/gguf/constants.py and tensor_mapping.py.
#pragma once

#include <string>

#include "model/model_config.h"

namespace retort::exchange {

/// "model.layers.0.self_attn.q_proj.weight" → "blk.0.attn_q.weight". Throws std::invalid_argument for a name that is
/// not of model::tensor_shapes(config).
std::string gguf_tensor_name(const model::ModelConfig& config, const std::string& name);

/// "LlamaForCausalLM" → "llama". Throws std::invalid_argument for an architecture that GGUF files are not written for.
std::string gguf_architecture(const std::string& architecture);
/// "llama" → "LlamaForCausalLM"; empty for one that is not read.
std::string architecture_of_gguf(const std::string& name);

/// Divides llama3-scaled rotary frequencies, [head_dim/2]; not a weight.
inline constexpr char rope_factors_tensor[] = "rope_freqs.weight";

/// Whether files of this architecture keep query and key rows interleaved (head_order.h).
bool interleaves_heads(const model::ModelConfig& config);

/// What files of this architecture have added to the weights of this tensor: 1 to those of Gemma's norms, 0 else.
float gguf_offset(const model::ModelConfig& config, const std::string& name);

}  // namespace retort::exchange
