// A conversation: the unit of data from import to training, evaluation and `retort call`. Reading chat rows is
// chat_row.h's business, what a model sees of one is prompt_form.h's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "task/call.h"

namespace retort::task {

enum class Role { system, developer, user, assistant, tool };
std::string_view name_of(Role role);

/// A call with the id under which a tool's result answers it.
struct IdentifiedCall {
  std::string id;
  Call call;
  bool operator==(const IdentifiedCall&) const = default;
};

struct Message {
  Role role = Role::user;
  std::string content;                     ///< text; "" where there is none
  std::vector<IdentifiedCall> tool_calls;  ///< of an assistant
  std::string tool_call_id;                ///< of a tool's result: which call it answers
  std::string name;                        ///< who speaks, or the tool; "" where it is not said
  bool learnt = true;                      ///< of an assistant: false where its "weight" is 0 (OpenAI's fine-tuning)
  bool operator==(const Message&) const = default;
};

/// Tools are shared by the rows that name the same ones.
using ToolSet = std::shared_ptr<const std::vector<Tool>>;

struct Conversation {
  std::vector<Message> messages;
  ToolSet tools;  ///< its own; null: the data set's
  nlohmann::json metadata = nlohmann::json::object();

  /// Content of the last user message; "" where there is none.
  const std::string& utterance() const;
};

/// One user message.
Conversation conversation_of(std::string utterance);

std::vector<Call> calls_of(const Message& message);

/// Throws std::invalid_argument unless the messages end with what is to be answered: a user's text or a tool's result.
void expect_question(const std::vector<Message>& messages);

/// An OpenAI message. An assistant's "content" is null beside calls, and "weight" 0 stands where it is not learnt.
nlohmann::json to_json(const Message& message);
nlohmann::json messages_to_json(const std::vector<Message>& messages);
/// {"messages", "tools"?, "metadata"?}
nlohmann::json to_row(const Conversation& conversation);

/// What reading changed ("conversions") and left out ("losses"), each by its description: how often.
struct ReadingNotes {
  std::map<std::string, std::int64_t> conversions, losses;
  void add(const ReadingNotes& other);
  bool empty() const { return conversions.empty() && losses.empty(); }
  /// {"conversions": {…}, "losses": {…}}
  nlohmann::json to_json() const;
  /// "12 × legacy function_call; 3 × …": one line for the console.
  static std::string listed(const std::map<std::string, std::int64_t>& counts);
};

}  // namespace retort::task
