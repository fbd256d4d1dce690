// See prompt.h.
#include "prompt.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "../../common/placeholders.h"

namespace retort::llm_judge {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 5> known = {"tools", "conversation", "answer", "reference", "execution"};

/// The length of the placeholder's name at `begin`, which is just behind '{'; 0 where there is none.
std::size_t name_length(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && ((text[end] >= 'a' && text[end] <= 'z') || text[end] == '_')) ++end;
  return end < text.size() && text[end] == '}' ? end - begin : 0;
}

/// "user: turn on the light" a line a message; calls and other content as JSON.
std::string conversation_of(const json& messages) {
  if (!messages.is_array()) return "none";
  std::string text;
  for (const json& message : messages) {
    if (!message.is_object()) continue;
    const json role = message.value("role", json()), content = message.value("content", json());
    text += (role.is_string() ? role.get<std::string>() : std::string("unknown")) + ": ";
    if (content.is_string())
      text += content.get<std::string>();
    else if (!content.is_null())
      text += dump(content);
    if (message.contains("tool_calls")) text += dump(message["tool_calls"]);
    text += "\n";
  }
  return text.empty() ? "none" : text.substr(0, text.size() - 1);
}

std::string answer_of(const json& item) {
  const json response = item.value("response", json());
  if (response.is_object() && response.contains("calls")) return dump(response["calls"]);
  const json text = item.value("text", json());
  return text.is_string() ? text.get<std::string>() : "none";
}

std::string part(std::string_view name, const json& item, const json& tools) {
  if (name == "tools") return dump(item.contains("tools") ? item["tools"] : tools);
  if (name == "conversation") return conversation_of(item.value("messages", json()));
  if (name == "answer") return answer_of(item);
  const json value = item.value(std::string(name), json());
  if (value.is_null()) return name == "reference" ? "none is known" : "was not tried";
  return dump(name == "reference" && value.is_object() && value.contains("calls") ? value["calls"] : value);
}

}  // namespace

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const char* default_prompt() {
  return R"(You judge the answer of an assistant that calls functions. It may call these:
{tools}

The conversation:
{conversation}

The assistant's answer, as calls or as text:
{answer}

A right answer, for comparison: {reference}
What carrying the answer out gave: {execution}

Does the answer do what the user asked for, all of it and nothing else, with the values that the user named? Give a
score from 0 (wrong or useless) to 1 (right). Answer with JSON alone: {"reason": "one sentence", "score": 0.0})";
}

Prompt::Prompt(std::string text) : text_(std::move(text)) {
  bool asks = false;
  for (std::size_t open = text_.find('{'); open != std::string::npos; open = text_.find('{', open + 1)) {
    const std::string name = text_.substr(open + 1, name_length(text_, open + 1));
    if (name.empty()) continue;
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw std::invalid_argument("prompt: unknown placeholder {" + name +
                                  "}; there are {tools}, {conversation}, {answer}, {reference} and {execution}");
    asks = asks || name == "answer";
  }
  if (!asks) throw std::invalid_argument("prompt: expected the placeholder {answer}, found none");
}

std::string Prompt::fill(const json& item, const json& tools) const {
  std::map<std::string, std::string> parts;
  for (const std::string_view name : known)
    if (text_.find("{" + std::string(name) + "}") != std::string::npos) parts.emplace(name, part(name, item, tools));
  return prompts::filled(text_, parts);
}

}  // namespace retort::llm_judge
