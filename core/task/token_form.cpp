// Turns one behind the other, each begun by its role's token. A single user message has the bytes that it always had.
#include "task/token_form.h"

#include <stdexcept>

namespace retort::task {
namespace {

constexpr char pad_token_text[] = "<|pad|>";
constexpr char user_token_text[] = "<|user|>";
constexpr char assistant_token_text[] = "<|assistant|>";
constexpr char end_token_text[] = "<|end|>";
constexpr char system_token_text[] = "<|system|>";
constexpr char tool_token_text[] = "<|tool|>";

const char* token_of(Role role) {
  if (role == Role::user) return user_token_text;
  if (role == Role::assistant) return assistant_token_text;
  return role == Role::tool ? tool_token_text : system_token_text;
}

void append(const text::Tokenizer& tokenizer, const std::string& text, std::vector<text::TokenId>& ids) {
  const auto tokens = tokenizer.encode(text);
  ids.insert(ids.end(), tokens.begin(), tokens.end());
}

/// What users have said, which decides the order of arguments.
std::string said_in(const std::vector<Message>& messages) {
  std::string said;
  for (const Message& message : messages)
    if (message.role == Role::user) said += (said.empty() ? "" : "\n") + message.content;
  return said;
}

bool is_one_user_message(const Conversation& conversation) {
  return conversation.messages.size() == 1 && conversation.messages.front().role == Role::user;
}

}  // namespace

text::TokenId special_id(const text::Tokenizer& tokenizer, const std::string& token) {
  const auto id = tokenizer.find(token);
  if (!id || !tokenizer.is_special(*id))
    throw std::invalid_argument("the tokenizer has no special token " + token +
                                "; it must be made with this task's special_tokens()");
  return *id;
}

std::string compact_json(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

TokenForm::TokenForm(ResponseStyle style) : style_(std::move(style)) {
  if (style_.readings < 1)
    throw std::invalid_argument("readings: expected at least 1, found " + std::to_string(style_.readings));
}

std::vector<std::string> TokenForm::special_tokens() const {
  std::vector<std::string> tokens = {pad_token_text, user_token_text, assistant_token_text, end_token_text};
  if (style_.context) {
    tokens.emplace_back(system_token_text);
    tokens.emplace_back(tool_token_text);
  }
  return tokens;
}

std::string TokenForm::training_text(const Conversation& conversation, const Message* answer) const {
  std::string text;
  for (const Message& message : conversation.messages) {
    if (!message.content.empty() || message.role == Role::user) text += (text.empty() ? " " : "\n ") + message.content;
    text += calls_text(calls_of(message));
  }
  return answer == nullptr ? text : text + calls_text(calls_of(*answer));
}

void TokenForm::append_turn(const text::Tokenizer& tokenizer, std::string_view said, const Message& message,
                            std::vector<text::TokenId>& ids) const {
  ids.push_back(special_id(tokenizer, token_of(message.role)));
  if (message.role != Role::assistant) {
    append(tokenizer, " " + message.content, ids);
    return;
  }
  if (!message.tool_calls.empty()) {
    append_calls(tokenizer, said, calls_of(message), ids);
  } else {
    append_none(tokenizer, ids);
    if (!message.content.empty()) append(tokenizer, " " + message.content, ids);
  }
  ids.push_back(end_token(tokenizer));
}

std::vector<text::TokenId> TokenForm::prompt(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                             const std::vector<Tool>&) const {
  expect_question(conversation.messages);
  if (!style_.context && !is_one_user_message(conversation))
    throw std::invalid_argument("a prompt: expected one user message, as this model has seen no other; found " +
                                std::to_string(conversation.messages.size()) + " messages that begin with " +
                                std::string(name_of(conversation.messages.front().role)) +
                                "; train it on conversations to give it some");
  std::vector<text::TokenId> ids;
  const std::string said = said_in(conversation.messages);
  for (const Message& message : conversation.messages) append_turn(tokenizer, said, message, ids);
  const Message& asked = conversation.messages.back();
  for (std::int64_t reading = 1; reading < style_.readings && asked.role == Role::user; ++reading)
    append_turn(tokenizer, said, asked, ids);
  ids.push_back(special_id(tokenizer, assistant_token_text));
  return ids;
}

std::vector<text::TokenId> TokenForm::response(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                               const std::vector<Tool>&, const Message& answer) const {
  std::vector<text::TokenId> ids;
  if (answer.tool_calls.empty())
    append_none(tokenizer, ids);
  else
    append_calls(tokenizer, said_in(conversation.messages), calls_of(answer), ids);
  ids.push_back(end_token(tokenizer));
  return ids;
}

std::optional<text::TokenId> TokenForm::prompt_end_token(const text::Tokenizer& tokenizer) const {
  return special_id(tokenizer, assistant_token_text);
}

text::TokenId TokenForm::end_token(const text::Tokenizer& tokenizer) const {
  return special_id(tokenizer, end_token_text);
}

std::vector<std::string> TokenForm::losses(const Conversation& conversation, const Message* answer) const {
  std::vector<std::string> lost;
  const auto check = [&lost](const Message& message) {
    if (!message.tool_calls.empty() && !message.content.empty()) lost.emplace_back("text beside calls");
    if (!message.name.empty() && message.role != Role::tool) lost.emplace_back("the name of who speaks");
  };
  for (const Message& message : conversation.messages) check(message);
  if (answer == nullptr) return lost;
  check(*answer);
  if (answer->tool_calls.empty() && !answer->content.empty()) lost.emplace_back("text of an answer without calls");
  return lost;
}

nlohmann::json TokenForm::to_json() const {
  nlohmann::json json = {{"conjunction", style_.conjunction}, {"argument_order", style_.argument_order}};
  if (style_.context) json["context"] = true;
  if (style_.readings != 1) json["readings"] = style_.readings;
  return json;
}

}  // namespace retort::task
