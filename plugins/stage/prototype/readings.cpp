// See readings.h, and functions.h for what concerns rows.
#include "readings.h"

#include <stdexcept>
#include <utility>

#include "task/call.h"

namespace retort::stages {
namespace {

using nlohmann::json;
using task::Example;

std::string compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Reading read_choice(const Example& example, const json& choice) {
  const json& message = choice["message"];
  if (message.contains("refusal") && message["refusal"].is_string())
    return {std::nullopt, Rejection{"refused", message["refusal"].get<std::string>()}};
  if (choice["finish_reason"] == "content_filter")
    return {std::nullopt, Rejection{"refused", "a content filter withheld the answer"}};
  if (choice["finish_reason"] == "length")
    return {std::nullopt, Rejection{"length", "the answer was cut off at the token limit"}};
  try {
    const json question = {{"role", "user"}, {"content", example.utterance()}};
    Example answered = task::from_row({{"messages", json::array({question, message})}});
    return {Reply{std::move(*answered.calls), std::move(answered.text), "", message}, std::nullopt};
  } catch (const std::invalid_argument& error) {
    return {Reply{{}, "", error.what(), message}, std::nullopt};
  }
}

}  // namespace

std::vector<Reading> readings_of(const Example& example, const json& answer) {
  if (const auto error = answer.find("error"); error != answer.end())
    return {{std::nullopt, Rejection{"teacher_error", *error}}};
  std::vector<Reading> readings;
  for (const json& choice : answer["choices"]) readings.push_back(read_choice(example, choice));
  return readings;
}

std::string ballot_of(const Reading& reading) {
  if (!reading.reply || !reading.reply->malformed.empty()) return "";
  return reading.reply->calls.empty() ? "text: " + reading.reply->text
                                      : compact(task::calls_to_json(reading.reply->calls));
}

std::string result_of(const RowState& row) {
  if (row.failure) return row.failure->kind == "teacher_error" ? "failed" : row.failure->kind;
  if (!row.reply->malformed.empty()) return "malformed";
  return row.reply->calls.empty() ? "text" : "calls";
}

std::optional<std::string> content_of(const json& answer) {
  if (answer.contains("error")) return std::nullopt;
  const json& choice = answer["choices"][0];
  const json content = choice["message"].value("content", json());
  if (!content.is_string() || content == "" || choice["finish_reason"] == "length" ||
      choice["finish_reason"] == "content_filter")
    return std::nullopt;
  return content.get<std::string>();
}

std::vector<task::Message> turns_after(const RowState& row) {
  Example labelled = *row.example;
  labelled.calls = row.reply->calls;
  labelled.text = row.reply->text;
  std::vector<task::Message> turns = {task::answer_of(labelled)};
  const json results = row.execution.is_object() ? row.execution.value("results", json::array()) : json::array();
  const std::size_t calls = turns[0].tool_calls.size();
  for (std::size_t i = 0; i < calls; ++i) {
    task::Message message;
    message.role = task::Role::tool;
    message.tool_call_id = turns[0].tool_calls[i].id;
    const json content = i < results.size() && results[i].is_object() ? results[i].value("content", json()) : json();
    message.content = content.is_string() ? content.get<std::string>() : content.is_null() ? "done" : compact(content);
    turns.push_back(std::move(message));
  }
  return turns;
}

std::optional<std::string> schema_fault(const RowState& row, const std::vector<task::Tool>& tools) {
  for (const task::Call& call : row.reply->calls) {
    try {
      if (auto reason = task::invalid_reason(call, row.example->tools ? *row.example->tools : tools)) return reason;
    } catch (const std::invalid_argument& error) {
      return "the parameters of tool \"" + call.name + "\" are no schema: " + error.what();
    }
  }
  return std::nullopt;
}

}  // namespace retort::stages
