#include "exchange/gguf_names.h"

#include <array>
#include <stdexcept>
#include <utility>

namespace retort::exchange {
namespace {

using Pair = std::pair<const char*, const char*>;

constexpr std::array<Pair, 3> architectures = {
    {{"LlamaForCausalLM", "llama"}, {"Qwen2ForCausalLM", "qwen2"}, {"Qwen3ForCausalLM", "qwen3"}}};

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

constexpr char layers[] = "model.layers.";

}  // namespace

std::string gguf_tensor_name(const std::string& name) {
  for (const auto& [theirs, ggufs] : outer)
    if (name.starts_with(theirs)) return ggufs + name.substr(std::string(theirs).size());
  if (name.starts_with(layers)) {
    const std::string rest = name.substr(sizeof(layers) - 1);  // "0.self_attn.q_proj.weight"
    const std::size_t dot = rest.find('.');
    const std::string module = dot == std::string::npos ? "" : rest.substr(dot + 1);
    for (const auto& [theirs, ggufs] : inner)
      if (module.starts_with(theirs))
        return "blk." + rest.substr(0, dot + 1) + ggufs + module.substr(std::string(theirs).size());
  }
  throw std::invalid_argument("tensor '" + name + "': expected one of a decoder that GGUF has a name for");
}

std::string gguf_architecture(const std::string& architecture) {
  for (const auto& [theirs, ggufs] : architectures)
    if (architecture == theirs) return ggufs;
  throw std::invalid_argument("architecture: expected LlamaForCausalLM, Qwen2ForCausalLM or Qwen3ForCausalLM, found " +
                              architecture);
}

std::string architecture_of_gguf(const std::string& name) {
  for (const auto& [theirs, ggufs] : architectures)
    if (name == ggufs) return theirs;
  return "";
}

bool interleaves_heads(const model::ModelConfig& config) {
  return config.architecture == "LlamaForCausalLM";
}

}  // namespace retort::exchange
