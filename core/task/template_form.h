// The form "chat_template": a conversation as the model's own template writes it, tools included, so that other tools
// can be brought at run time.
//
// A prompt is the template's text up to the begin of the assistant's answer; a response is what the template writes
// behind exactly that text once the answer is there, up to its end token. So every assistant turn is learnt in the
// text in which it will be asked for, whatever the template does to earlier turns (Qwen3 takes their thinking away).
// A template that changes the text before an answer is refused: its answers cannot be told from its prompts.
//
// Where a template has no place for tools (SmolLM2), they stand in the system message and calls in the content, as Qwen
// 2.5 writes both; results are user messages in <tool_response>.
// "Today" of a template is a fixed day, so that the same data has the same tokens tomorrow. An answer's special tokens
// stand in the text as the template writes them: a user who writes "<|im_end|>" is not stopped here.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "task/chat_template.h"
#include "task/prompt_form.h"

namespace retort::task {

/// Stored: "template" (its sources by name), "special_tokens", "variables" (what the template sees beside messages and
/// tools; thinking is off by default) and "today".
struct TemplateOptions {
  nlohmann::ordered_json variables = {{"enable_thinking", false}};
  std::string today = "2025-01-01";
};

/// Throws std::invalid_argument where the template cannot be used: it renders nothing, or not what it should.
std::shared_ptr<const PromptForm> template_form(const ChatTemplate& chat_template, const TemplateOptions& options = {});
/// From the task in retort.json.
std::shared_ptr<const PromptForm> template_form(const nlohmann::json& task, const std::string& origin);

}  // namespace retort::task
