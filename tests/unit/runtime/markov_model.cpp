// See markov_model.h.
#include "markov_model.h"

#include <algorithm>
#include <stdexcept>

#include "host/base/files.h"
#include "random_model.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer.h"

namespace retort::runtime::testing {
namespace {

model::ModelConfig config_for(std::int64_t vocabulary) {
  model::ModelConfig config;
  config.vocabulary_size = vocabulary;
  config.hidden_size = vocabulary;  // one hidden channel per token
  config.intermediate_size = 8;
  config.layers = 1;
  config.heads = 1;
  config.kv_heads = 1;
  config.head_dim = 8;
  config.max_positions = 64;
  config.tie_word_embeddings = false;
  return config;
}

std::size_t id_of(const text::Tokenizer& tokenizer, const std::string& token) {
  const auto id = tokenizer.find(token);
  if (!id) throw std::runtime_error("the test's tokenizer has no '" + token + "'");
  return static_cast<std::size_t>(*id);
}

}  // namespace

std::vector<task::Tool> light_tools() {
  return task::tools_from_json(nlohmann::json::parse(R"([
    {"type": "function", "function": {"name": "light_set", "description": "Switch a light", "parameters": {
      "type": "object", "properties": {"room": {"type": "string"}, "state": {"type": "string", "enum": ["on", "off"]}},
      "required": ["state"]}}},
    {"type": "function", "function": {"name": "alarm_cancel", "description": "Cancel the alarm", "parameters": {
      "type": "object", "properties": {}}}}])"),
                               "light_tools");
}

void write_markov_model(const std::filesystem::path& folder,
                        const std::vector<std::pair<std::string, std::string>>& next) {
  const task::PromptContract contract("functional_tokens", light_tools());
  text::BpeTrainerOptions options;
  options.special_tokens = contract.special_tokens();
  options.vocabulary_size = 256 + static_cast<std::int64_t>(options.special_tokens.size()) + 6;
  const std::string tokenizer_json = text::train_byte_level_bpe(
      {" on on on on", " off off off", " turn the light on", " turn the light off"}, options);
  const text::Tokenizer tokenizer = text::Tokenizer::parse(tokenizer_json, "markov");

  const model::ModelConfig config = config_for(tokenizer.vocabulary_size());
  Weights weights = random_weights(config, 1);
  const auto size = static_cast<std::size_t>(config.vocabulary_size);
  for (auto& [name, weight] : weights) {
    if (name.find("norm") == std::string::npos) std::fill(weight.begin(), weight.end(), 0.0f);
  }
  std::vector<std::size_t> following(size, id_of(tokenizer, "<|end|>"));
  for (const auto& [token, after] : next) following[id_of(tokenizer, token)] = id_of(tokenizer, after);
  for (std::size_t token = 0; token < size; ++token) {
    weights["model.embed_tokens.weight"][token * size + token] = 1.0f;
    weights["lm_head.weight"][following[token] * size + token] = 1.0f;
  }
  write_model(folder, config, weights, Storage::f32);
  host::write_file_atomically(folder / "tokenizer.json", tokenizer_json);
  host::write_file_atomically(folder / "retort.json", nlohmann::json{{"task", contract.to_json()}}.dump());
}

}  // namespace retort::runtime::testing
