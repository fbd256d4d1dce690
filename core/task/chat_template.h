// A model's chat template: messages and tools → the prompt text, as Transformers' apply_chat_template makes it
// (documentation, "Chat templates"). The template language is in text/jinja. No tokenisation.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "template/template.h"

namespace retort::task {

struct ChatInput {
  nlohmann::ordered_json messages;     ///< array of objects: role, content, tool_calls, …; null: none
  nlohmann::ordered_json tools;        ///< OpenAI `tools`; null: none
  bool add_generation_prompt = false;  ///< whether the begin of the assistant's answer ends the prompt
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  ///< more for the template: enable_thinking, …
};

/// Reads what `retort template` takes: {"messages": […], "tools": […], "add_generation_prompt": true, …}, all optional,
/// other keys becoming variables. Throws std::invalid_argument: origin, JSON pointer, expected, found.
ChatInput parse_chat_input(std::string_view json, const std::string& origin);

/// Immutable; every const function may be called from any thread.
class ChatTemplate {
 public:
  /// `path` is one of
  /// - a model folder: chat_template.jinja (with additional_chat_templates/NAME.jinja), else tokenizer_config.json;
  /// - a tokenizer_config.json: chat_template is a text, or a list of {"name", "template"};
  /// - any other file: the template itself, without special tokens.
  /// Throws std::runtime_error where a file cannot be read, std::invalid_argument where there is no template, and
  /// jinja::TemplateError for what a template cannot have.
  static ChatTemplate load(const std::filesystem::path& path);

  /// From what to_json() made. Throws as load() does.
  static ChatTemplate from_json(const nlohmann::json& json, const std::string& origin);
  /// {"template": {name: source}, "special_tokens": {…}}
  nlohmann::json to_json() const;

  /// The template "tool_use", if there is one and `input.tools` is not null, else "default". It sees messages, tools,
  /// documents (none), add_generation_prompt, the special tokens, and the variables, which win over the tokens. Throws
  /// as jinja::Template::render does.
  std::string render(const ChatInput& input, const jinja::RenderOptions& options = {}) const;

  /// Texts of bos_token, eos_token, … as the tokenizer's files give them.
  const nlohmann::ordered_json& special_tokens() const { return special_tokens_; }

 private:
  ChatTemplate() = default;
  void add(const std::string& name, std::string_view source, const std::string& origin);
  void read_folder(const std::filesystem::path& folder);
  void read_templates(const nlohmann::json& config, const std::string& origin);
  void read_special_tokens(const nlohmann::json& config, const std::string& origin);

  std::string origin_;
  std::map<std::string, jinja::Template> templates_;
  std::map<std::string, std::string> sources_;
  nlohmann::ordered_json special_tokens_ = nlohmann::ordered_json::object();
};

/// A clock that stands still: "2025-07-10", "2025-07-10T12:00" or "2025-07-10T12:00:00", with or without "Z". Throws
/// std::invalid_argument for anything else.
jinja::Clock clock_at(const std::string& time);

}  // namespace retort::task
