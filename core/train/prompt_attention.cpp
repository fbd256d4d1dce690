#include "train/prompt_attention.h"

#include <stdexcept>

namespace retort::train {
namespace {

constexpr char causal_architecture[] = "LlamaForCausalLM", prefix_architecture[] = "PrefixLlamaForCausalLM";

}  // namespace

void set_prompt_attention(const std::string& attention, const task::PromptContract& contract,
                          const text::Tokenizer& tokenizer, model::ModelConfig& config) {
  if (attention == "teacher") return;
  const bool llama = config.architecture == causal_architecture || config.architecture == prefix_architecture;
  if (attention == "causal") {
    if (llama) config.architecture = causal_architecture;
    config.prompt_end_token = -1;
    return;
  }
  if (attention != "bidirectional")
    throw std::invalid_argument("model.prompt_attention: expected \"causal\" or \"bidirectional\", found \"" +
                                attention + "\"");
  if (!llama)
    throw std::invalid_argument("model.prompt_attention: expected \"causal\" for a model of the family " +
                                config.architecture + ", found \"bidirectional\", which Llama's family alone has here");
  const auto end = contract.form().prompt_end_token(tokenizer);
  if (!end)
    throw std::invalid_argument("model.prompt_attention: expected \"causal\" where calls are written as \"" +
                                contract.format() +
                                "\", whose prompts no token of their own ends; found \"bidirectional\"");
  config.architecture = prefix_architecture;
  config.prompt_end_token = *end;
}

void expect_unlearnt_prompts(double prompt_loss_weight, const model::ModelConfig& config) {
  if (config.prompt_end_token < 0 || prompt_loss_weight == 0) return;
  throw std::invalid_argument("prompt_loss_weight: expected 0, found " + std::to_string(prompt_loss_weight) +
                              ": the model reads prompts in both directions and sees the tokens it would predict");
}

}  // namespace retort::train
