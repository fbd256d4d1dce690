// The chat form of an utterance; its arguments are JSON text, as OpenAI has it, and in lower case, as the task has
// them.
#include "rows.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace retort::home {

using nlohmann::json;

namespace {

/// Capitals come from how an utterance is typed: those of ASCII.
json in_lower_case(json value) {
  if (value.is_string()) {
    auto& text = value.get_ref<std::string&>();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  } else if (value.is_structured()) {
    for (json& item : value) item = in_lower_case(item);
  }
  return value;
}

}  // namespace

Split split_named(const std::string& name) {
  if (name == "train") return Split::train;
  if (name == "validation") return Split::validation;
  if (name == "test") return Split::test;
  throw std::invalid_argument("split: expected \"train\", \"validation\" or \"test\", found \"" + name + "\"");
}

json to_chat_row(const Utterance& utterance) {
  json answer = {{"role", "assistant"}, {"content", nullptr}};
  if (utterance.calls.empty()) answer["content"] = "";
  for (std::size_t i = 0; i < utterance.calls.size(); ++i) {
    const json& call = utterance.calls[i];
    answer["tool_calls"].push_back(
        {{"id", "call_" + std::to_string(i)},
         {"type", "function"},
         {"function", {{"name", call["name"]}, {"arguments", in_lower_case(call["arguments"]).dump()}}}});
  }
  return {{"messages", json::array({{{"role", "user"}, {"content", utterance.text}}, std::move(answer)})},
          {"metadata", {{"template", utterance.template_id}, {"kind", utterance.kind}}}};
}

}  // namespace retort::home
