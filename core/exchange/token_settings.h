// What begins, ends and pads a text, and the chat template: GGUF's "tokenizer.*" keys that are not the tokenizer
// itself, to and from generation_config.json and tokenizer_config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/gguf_metadata.h"
#include "model/model_config.h"
#include "model/model_folder.h"

namespace retort::exchange {

/// Ids, -1 for none.
struct TokenSettings {
  std::int64_t begin = -1;
  std::vector<std::int64_t> ends;  ///< each ends an answer
  std::int64_t padding = -1;
  std::int64_t unknown = -1;
  std::optional<bool> add_begin;                       ///< whether encoding puts `begin` first; absent: not said
  std::optional<std::string> chat_template;            ///< Jinja; the one without a name, or named "default"
  std::map<std::string, std::string> named_templates;  ///< the others: "tool_use", …
};

/// Throws std::invalid_argument, by key, for an id outside the vocabulary or a key of another type.
TokenSettings token_settings_from_gguf(const model::GgufMetadata& metadata, const model::ModelConfig& config,
                                       const std::string& origin);

/// Of a folder: generation_config.json, else config.json, for the tokens; chat_template.jinja with
/// additional_chat_templates/, else tokenizer_config.json, for the templates. Throws std::invalid_argument by file and
/// place.
TokenSettings token_settings_of(const model::ModelFolder& folder);

/// How many ends a GGUF file can name: eos, eot and eom.
inline constexpr std::size_t greatest_gguf_ends = 3;

/// "tokenizer.chat_template" with "….NAME" and "tokenizer.chat_templates" for named ones, and the second and third end
/// as "tokenizer.ggml.eot_token_id" and "….eom_token_id"; text::gguf_tokenizer has the others.
model::GgufMetadata to_gguf(const TokenSettings& settings);

nlohmann::json generation_config(const TokenSettings& settings);

/// `tokens` are the vocabulary's texts by id.
nlohmann::json tokenizer_config(const TokenSettings& settings, const std::vector<std::string>& tokens,
                                std::int64_t max_positions);

}  // namespace retort::exchange
