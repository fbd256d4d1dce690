// Parts of a tokenizer.json that several writers share: added tokens and the post-processor that puts a token first.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "text/tokenizer.h"

namespace retort::text {

enum class Added { special, ordinary };

/// An item of "added_tokens", found before normalisation.
nlohmann::json added_token_json(TokenId id, const std::string& content, Added kind);

/// "post_processor" as TemplateProcessing with `begin`, whose text is `content`, before the text; null without one.
nlohmann::json begin_template_json(std::optional<TokenId> begin, const std::string& content);

/// "#version: 0.2", a line of merges.txt that some files carry among "merges": no merge.
bool is_version_line(const nlohmann::json& merge);

}  // namespace retort::text
