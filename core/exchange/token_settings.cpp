#include "exchange/token_settings.h"

#include <algorithm>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "model/generation_config.h"
#include "model/gguf_lookup.h"

namespace retort::exchange {
namespace {

constexpr char prefix[] = "tokenizer.ggml.";

/// A template, or Transformers' list of named ones, of which "default" counts.
std::optional<std::string> template_of(const host::JsonCursor& root) {
  if (!root.has("chat_template")) return std::nullopt;
  const host::JsonCursor cursor = root.at("chat_template");
  if (!cursor.json().is_array()) return cursor.string();
  for (std::size_t i = 0; i < cursor.size(); ++i)
    if (cursor.at(i).at("name").string() == "default") return cursor.at(i).at("template").string();
  return std::nullopt;
}

}  // namespace

TokenSettings token_settings_from_gguf(const model::GgufMetadata& metadata, const model::ModelConfig& config,
                                       const std::string& origin) {
  const model::GgufLookup keys(metadata, origin);
  const auto token = [&](const char* key) {
    return keys.find_integer(std::string(prefix) + key, 0, config.vocabulary_size - 1).value_or(-1);
  };
  TokenSettings settings;
  settings.begin = token("bos_token_id");
  for (const char* key : {"eos_token_id", "eot_token_id"}) {
    const std::int64_t id = token(key);
    if (id >= 0 && std::find(settings.ends.begin(), settings.ends.end(), id) == settings.ends.end())
      settings.ends.push_back(id);
  }
  settings.padding = token("padding_token_id");
  settings.unknown = token("unknown_token_id");
  settings.add_begin = keys.find_boolean(std::string(prefix) + "add_bos_token");
  settings.chat_template = keys.find_string("tokenizer.chat_template");
  return settings;
}

TokenSettings token_settings_of(const model::ModelFolder& folder) {
  TokenSettings settings;
  settings.begin = folder.config().bos_token;
  settings.ends = model::end_tokens(folder);
  settings.padding = folder.config().pad_token;
  const std::filesystem::path file = folder.path() / "tokenizer_config.json";
  if (std::filesystem::exists(file)) {
    const nlohmann::json json = host::read_json(file);
    const host::JsonCursor root(json, file.string());
    settings.chat_template = template_of(root);
    if (root.has("add_bos_token")) settings.add_begin = root.at("add_bos_token").boolean();
  }
  const std::filesystem::path jinja = folder.path() / "chat_template.jinja";
  if (std::filesystem::exists(jinja)) settings.chat_template = host::read_file(jinja);
  return settings;
}

model::GgufMetadata to_gguf(const TokenSettings& settings) {
  model::GgufMetadata keys;
  if (settings.chat_template) keys["tokenizer.chat_template"] = *settings.chat_template;
  if (settings.ends.size() > 1)
    keys[std::string(prefix) + "eot_token_id"] = static_cast<std::uint32_t>(settings.ends[1]);
  return keys;
}

nlohmann::json generation_config(const TokenSettings& settings) {
  nlohmann::json json = nlohmann::json::object();
  if (settings.begin >= 0) json["bos_token_id"] = settings.begin;
  if (settings.ends.size() == 1) json["eos_token_id"] = settings.ends[0];
  if (settings.ends.size() > 1) json["eos_token_id"] = settings.ends;
  if (settings.padding >= 0) json["pad_token_id"] = settings.padding;
  return json;
}

nlohmann::json tokenizer_config(const TokenSettings& settings, const std::vector<std::string>& tokens,
                                std::int64_t max_positions) {
  nlohmann::json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                         {"model_max_length", max_positions},
                         {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* key, std::int64_t id) {
    if (id >= 0 && static_cast<std::size_t>(id) < tokens.size()) json[key] = tokens[static_cast<std::size_t>(id)];
  };
  name("bos_token", settings.begin);
  name("eos_token", settings.ends.empty() ? -1 : settings.ends.front());
  name("pad_token", settings.padding);
  name("unk_token", settings.unknown);
  if (settings.add_begin) json["add_bos_token"] = *settings.add_begin;
  if (settings.chat_template) json["chat_template"] = *settings.chat_template;
  return json;
}

}  // namespace retort::exchange
