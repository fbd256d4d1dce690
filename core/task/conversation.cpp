// Conversations as OpenAI messages, and the counts of what reading did to them.
#include "task/conversation.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace retort::task {

using Json = nlohmann::json;

std::string_view name_of(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::developer:
      return "developer";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "tool";
  }
  return "";
}

const std::string& Conversation::utterance() const {
  static const std::string none;
  const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                 [](const Message& message) { return message.role == Role::user; });
  return last == messages.rend() ? none : last->content;
}

Conversation conversation_of(std::string utterance) {
  Conversation conversation;
  conversation.messages.push_back({.role = Role::user, .content = std::move(utterance)});
  return conversation;
}

std::vector<Call> calls_of(const Message& message) {
  std::vector<Call> calls;
  for (const IdentifiedCall& call : message.tool_calls) calls.push_back(call.call);
  return calls;
}

void expect_question(const std::vector<Message>& messages) {
  const std::string expected = "a prompt: expected messages that end with a user's or a tool's, ";
  if (messages.empty()) throw std::invalid_argument(expected + "found 0 messages");
  const Role last = messages.back().role;
  if (last != Role::user && last != Role::tool)
    throw std::invalid_argument(expected + "found that message " + std::to_string(messages.size() - 1) + " is of the " +
                                std::string(name_of(last)) +
                                (last == Role::assistant ? "; leave it out to have it answered anew" : ""));
}

Json to_json(const Message& message) {
  Json json = {{"role", name_of(message.role)}, {"content", message.content}};
  if (!message.name.empty()) json["name"] = message.name;
  if (message.role == Role::tool) json["tool_call_id"] = message.tool_call_id;
  if (message.role != Role::assistant) return json;
  if (!message.learnt) json["weight"] = 0;
  if (message.tool_calls.empty()) return json;  // OpenAI asks for a content where there are no calls
  if (message.content.empty()) json["content"] = nullptr;
  for (const auto& [id, call] : message.tool_calls)
    json["tool_calls"].push_back(
        {{"id", id},
         {"type", "function"},
         {"function",
          {{"name", call.name}, {"arguments", call.arguments.dump(-1, ' ', false, Json::error_handler_t::replace)}}}});
  return json;
}

Json messages_to_json(const std::vector<Message>& messages) {
  Json json = Json::array();
  for (const Message& message : messages) json.push_back(to_json(message));
  return json;
}

Json to_row(const Conversation& conversation) {
  Json row = {{"messages", messages_to_json(conversation.messages)}};
  if (conversation.tools) row["tools"] = tools_to_json(*conversation.tools);
  if (!conversation.metadata.empty()) row["metadata"] = conversation.metadata;
  return row;
}

void ReadingNotes::add(const ReadingNotes& other) {
  for (const auto& [what, count] : other.conversions) conversions[what] += count;
  for (const auto& [what, count] : other.losses) losses[what] += count;
}

Json ReadingNotes::to_json() const {
  return {{"conversions", conversions}, {"losses", losses}};
}

std::string ReadingNotes::listed(const std::map<std::string, std::int64_t>& counts) {
  std::string text;
  for (const auto& [what, count] : counts) text += (text.empty() ? "" : "; ") + std::to_string(count) + " × " + what;
  return text;
}

}  // namespace retort::task
