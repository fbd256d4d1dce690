#include "exchange/gguf_names.h"

#include <array>
#include <stdexcept>
#include <utility>

namespace retort::exchange {
namespace {

using Pair = std::pair<const char*, const char*>;

constexpr std::array<Pair, 4> architectures = {{{"LlamaForCausalLM", "llama"},
                                                {"Qwen2ForCausalLM", "qwen2"},
                                                {"Qwen3ForCausalLM", "qwen3"},
                                                {"Gemma3ForCausalLM", "gemma3"}}};

constexpr std::array<Pair, 3> outer = {
    {{"model.embed_tokens.", "token_embd."}, {"model.norm.", "output_norm."}, {"lm_head.", "output."}}};

constexpr std::array<Pair, 11> inner = {{{"input_layernorm.", "attn_norm."},
                                         {"self_attn.q_proj.", "attn_q."},
                                         {"self_attn.k_proj.", "attn_k."},
                                         {"self_attn.v_proj.", "attn_v."},
                                         {"self_attn.o_proj.", "attn_output."},
                                         {"self_attn.q_norm.", "attn_q_norm."},
                                         {"self_attn.k_norm.", "attn_k_norm."},
                                         {"post_attention_layernorm.", "ffn_norm."},
                                         {"mlp.gate_proj.", "ffn_gate."},
                                         {"mlp.up_proj.", "ffn_up."},
                                         {"mlp.down_proj.", "ffn_down."}}};

/// With norms behind the blocks; looked up before `inner`.
constexpr std::array<Pair, 3> with_output_norms = {{{"pre_feedforward_layernorm.", "ffn_norm."},
                                                    {"post_attention_layernorm.", "post_attention_norm."},
                                                    {"post_feedforward_layernorm.", "post_ffw_norm."}}};

constexpr char layers[] = "model.layers.";

template <typename Names>
const char* renamed(const Names& names, const std::string& module) {
  for (const auto& [theirs, ggufs] : names)
    if (module.starts_with(theirs)) return ggufs;
  return nullptr;
}

}  // namespace

std::string gguf_tensor_name(const model::ModelConfig& config, const std::string& name) {
  for (const auto& [theirs, ggufs] : outer)
    if (name.starts_with(theirs)) return ggufs + name.substr(std::string(theirs).size());
  if (name.starts_with(layers)) {
    const std::string rest = name.substr(sizeof(layers) - 1);  // "0.self_attn.q_proj.weight"
    const std::size_t dot = rest.find('.');
    const std::string module = dot == std::string::npos ? "" : rest.substr(dot + 1);
    const char* known = config.block_output_norm ? renamed(with_output_norms, module) : nullptr;
    if (known == nullptr) known = renamed(inner, module);
    // What stands behind a module's name is "weight" or "bias", without a dot.
    if (known != nullptr) return "blk." + rest.substr(0, dot + 1) + known + module.substr(module.rfind('.') + 1);
  }
  throw std::invalid_argument("tensor '" + name + "': expected one of a decoder that GGUF has a name for");
}

std::string gguf_architecture(const std::string& architecture) {
  for (const auto& [theirs, ggufs] : architectures)
    if (architecture == theirs) return ggufs;
  throw std::invalid_argument(
      "architecture: expected LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM or "
      "Gemma3ForCausalLM, found " +
      architecture);
}

std::string architecture_of_gguf(const std::string& name) {
  for (const auto& [theirs, ggufs] : architectures)
    if (name == ggufs) return theirs;
  return "";
}

float gguf_offset(const model::ModelConfig& config, const std::string& name) {
  return config.norm_adds_one && name.ends_with("norm.weight") ? 1.0F : 0.0F;
}

bool interleaves_heads(const model::ModelConfig& config) {
  return config.architecture == "LlamaForCausalLM";
}

}  // namespace retort::exchange
