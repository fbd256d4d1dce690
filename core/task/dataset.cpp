// Examples out of conversations, and splits as files.
#include "task/dataset.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "host/plugin/stop_request.h"
#include "task/chat_row.h"
#include "task/example_file.h"

namespace retort::task {

using Json = nlohmann::json;

namespace {

/// The conversation up to the message `end`, which is the answer where there is one.
Example example_up_to(const Conversation& conversation, std::size_t end) {
  Example example;
  example.messages.assign(conversation.messages.begin(),
                          conversation.messages.begin() + static_cast<std::ptrdiff_t>(end));
  example.tools = conversation.tools;
  example.metadata = conversation.metadata;
  if (end == conversation.messages.size()) return example;
  const Message& answer = conversation.messages[end];
  example.calls = calls_of(answer);
  example.text = answer.content;
  return example;
}

}  // namespace

Example::Example(std::string utterance, std::optional<std::vector<Call>> answer, Json described)
    : Conversation(conversation_of(std::move(utterance))), calls(std::move(answer)) {
  if (!described.is_null()) metadata = std::move(described);
}

bool Example::has_context() const {
  return messages.size() != 1 || messages.front().role != Role::user || tools != nullptr;
}

Message answer_of(const Example& example) {
  std::size_t number = 0;
  for (const Message& message : example.messages) number += message.tool_calls.size();
  Message answer{.role = Role::assistant, .content = example.text};
  for (const Call& call : *example.calls) answer.tool_calls.push_back({"call_" + std::to_string(number++), call});
  return answer;
}

std::vector<Example> examples_of(const Conversation& conversation, Turns turns, ReadingNotes& notes) {
  const std::vector<Message>& messages = conversation.messages;
  const bool labelled = !messages.empty() && messages.back().role == Role::assistant;
  std::vector<Example> examples;
  bool asked = false;
  for (std::size_t i = 0; i < messages.size() && turns == Turns::all; ++i) {
    asked = asked || messages[i].role == Role::user;
    if (messages[i].role != Role::assistant || !messages[i].learnt) continue;
    if (asked)
      examples.push_back(example_up_to(conversation, i));
    else
      ++notes.losses["assistant turns before any user message are context only"];
  }
  if (turns == Turns::last || !labelled)
    examples.push_back(example_up_to(conversation, labelled ? messages.size() - 1 : messages.size()));
  if (examples.empty()) ++notes.losses["rows without a turn to learn"];
  return examples;
}

Json to_row(const Example& example) {
  Json row = to_row(static_cast<const Conversation&>(example));
  for (Json& message : row["messages"])
    if (message["role"] == "assistant") message["weight"] = 0;
  if (example.calls) row["messages"].push_back(to_json(answer_of(example)));
  return row;
}

Example from_row(const Json& row) {
  ReadingNotes notes;
  return std::move(examples_of(conversation_from_row(row, notes), Turns::last, notes).front());
}

Split read_split(const std::filesystem::path& file, double max_rejected_share, Turns turns) {
  Split split;
  ExampleFile rows(file, turns, [&](RejectedRow row) { split.rejected.push_back(std::move(row)); });
  for (Example example; rows.next(example);) split.examples.push_back(std::move(example));
  split.tally = rows.tally();
  expect_usable(file, split.tally, split.rejected, max_rejected_share);
  return split;
}

std::string to_line(const Json& row) {
  return row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_line(const RejectedRow& row) {
  return to_line(Json{{"line", row.line}, {"reason", row.reason}, {"text", row.text}});
}

void write_split(const std::filesystem::path& file, const std::vector<Example>& examples) {
  std::string content;
  for (const Example& example : examples) {
    host::throw_if_stop_requested();
    content += to_line(to_row(example));
  }
  host::write_file_atomically(file, content);
}

void write_rejected(const std::filesystem::path& file, const std::vector<RejectedRow>& rejected) {
  std::string content;
  for (const RejectedRow& row : rejected) content += to_line(row);
  host::write_file_atomically(file, content);
}

std::vector<Tool> read_tools(const std::filesystem::path& tools_json) {
  return tools_from_json(host::read_json(tools_json), tools_json.string());
}

}  // namespace retort::task
