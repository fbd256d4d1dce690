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

constexpr char template_key[] = "tokenizer.chat_template";
constexpr char template_names_key[] = "tokenizer.chat_templates";

void add_template(const std::string& name, std::string text, TokenSettings& settings) {
  if (name == "default")
    settings.chat_template = std::move(text);
  else
    settings.named_templates[name] = std::move(text);
}

/// A template, or Transformers' list of named ones.
void read_templates(const host::JsonCursor& root, TokenSettings& settings) {
  if (!root.has("chat_template")) return;
  const host::JsonCursor cursor = root.at("chat_template");
  if (!cursor.json().is_array()) return add_template("default", cursor.string(), settings);
  for (std::size_t i = 0; i < cursor.size(); ++i)
    add_template(cursor.at(i).at("name").string(), cursor.at(i).at("template").string(), settings);
}

/// chat_template.jinja and the named ones beside it take the place of those of tokenizer_config.json.
void read_template_files(const std::filesystem::path& folder, TokenSettings& settings) {
  const std::filesystem::path jinja = folder / "chat_template.jinja";
  if (!std::filesystem::exists(jinja)) return;
  settings.named_templates.clear();
  settings.chat_template = host::read_file(jinja);
  const std::filesystem::path more = folder / "additional_chat_templates";
  if (!std::filesystem::is_directory(more)) return;
  for (const auto& entry : std::filesystem::directory_iterator(more))
    if (entry.path().extension() == ".jinja")
      add_template(entry.path().stem().string(), host::read_file(entry.path()), settings);
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
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    const std::int64_t id = token(key);
    if (id >= 0 && std::find(settings.ends.begin(), settings.ends.end(), id) == settings.ends.end())
      settings.ends.push_back(id);
  }
  settings.padding = token("padding_token_id");
  settings.unknown = token("unknown_token_id");
  settings.add_begin = keys.find_boolean(std::string(prefix) + "add_bos_token");
  settings.chat_template = keys.find_string(template_key);
  const std::string named = std::string(template_key) + ".";
  for (auto key = metadata.lower_bound(named); key != metadata.end() && key->first.starts_with(named); ++key)
    add_template(key->first.substr(named.size()), *keys.find_string(key->first), settings);
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
    read_templates(root, settings);
    if (root.has("add_bos_token")) settings.add_begin = root.at("add_bos_token").boolean();
  }
  read_template_files(folder.path(), settings);
  return settings;
}

model::GgufMetadata to_gguf(const TokenSettings& settings) {
  model::GgufMetadata keys;
  if (settings.chat_template) keys[template_key] = *settings.chat_template;
  std::vector<std::string> names;
  for (const auto& [name, text] : settings.named_templates) {
    names.push_back(name);
    keys[std::string(template_key) + "." + name] = text;
  }
  if (!names.empty()) keys[template_names_key] = std::move(names);
  const auto end = [&](const char* key, std::size_t place) {
    if (settings.ends.size() > place)
      keys[std::string(prefix) + key] = static_cast<std::uint32_t>(settings.ends[place]);
  };
  end("eot_token_id", 1);
  end("eom_token_id", 2);
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
  if (settings.named_templates.empty()) {
    if (settings.chat_template) json["chat_template"] = *settings.chat_template;
    return json;
  }
  nlohmann::json templates = nlohmann::json::array();
  if (settings.chat_template) templates.push_back({{"name", "default"}, {"template", *settings.chat_template}});
  for (const auto& [title, text] : settings.named_templates) templates.push_back({{"name", title}, {"template", text}});
  json["chat_template"] = std::move(templates);
  return json;
}

}  // namespace retort::exchange
