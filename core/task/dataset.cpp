// OpenAI chat rows in JSONL.
#include "task/dataset.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "host/plugin/stop_request.h"

namespace retort::task {

using host::JsonCursor;
using Json = nlohmann::json;

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

Call read_tool_call(const JsonCursor& json) {
  if (json.object().has("type") && json.at("type").string() != "function") json.at("type").refuse("\"function\"");
  const JsonCursor function = json.at("function").object();
  Call call;
  call.name = function.at("name").string();
  const JsonCursor arguments = function.at("arguments");
  if (!arguments.json().is_string()) arguments.refuse("an object as JSON text (a string)");
  try {
    call.arguments = host::parse_strict_json(arguments.string());
  } catch (const std::invalid_argument& error) {
    arguments.refuse("an object as JSON text", host::excerpt(arguments.json()) + " (" + error.what() + ")");
  }
  if (!call.arguments.is_object()) arguments.refuse("an object as JSON text");
  return call;
}

std::vector<Call> read_tool_calls(const JsonCursor& assistant) {
  std::vector<Call> calls;
  if (!assistant.has("tool_calls")) return calls;
  const JsonCursor list = assistant.at("tool_calls").array();
  for (std::size_t i = 0; i < list.size(); ++i) calls.push_back(read_tool_call(list.at(i)));
  return calls;
}

/// Splits off the first line of `text`, without its line feed.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

[[noreturn]] void refuse_split(const std::filesystem::path& file, const Split& split, double max_rejected_share) {
  const std::size_t rows = split.examples.size() + split.rejected.size();
  std::string message = "'" + file.string() + "': " + std::to_string(split.rejected.size()) + " of " +
                        std::to_string(rows) + " rows cannot be used, more than the allowed share " +
                        Json(max_rejected_share).dump();
  for (std::size_t i = 0; i < std::min<std::size_t>(split.rejected.size(), 3); ++i)
    message += "; line " + std::to_string(split.rejected[i].line) + ": " + split.rejected[i].reason;
  throw std::runtime_error(message);
}

}  // namespace

Json to_row(const Example& example) {
  Json messages = Json::array({{{"role", "user"}, {"content", example.utterance}}});
  if (example.calls) {
    Json tool_calls = Json::array();
    for (const Call& call : *example.calls)
      tool_calls.push_back({{"id", "call_" + std::to_string(tool_calls.size())},
                            {"type", "function"},
                            {"function",
                             {{"name", call.name},
                              {"arguments", call.arguments.dump(-1, ' ', false, Json::error_handler_t::replace)}}}});
    Json assistant = {{"role", "assistant"}, {"content", nullptr}};
    if (tool_calls.empty())
      assistant["content"] = "";  // OpenAI asks for a content where there are no calls
    else
      assistant["tool_calls"] = std::move(tool_calls);
    messages.push_back(std::move(assistant));
  }
  Json row = {{"messages", std::move(messages)}};
  if (!example.metadata.empty()) row["metadata"] = example.metadata;
  return row;
}

Example from_row(const Json& row) {
  const JsonCursor root(row, "row");
  const JsonCursor messages = root.object().at("messages").array();
  Example example;
  bool asked = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const JsonCursor message = messages.at(i).object();
    const std::string role = message.at("role").string();
    if (role == "user") {
      example.utterance = message.at("content").string();
      example.calls.reset();  // what came before belongs to an earlier question
      asked = true;
    } else if (role == "assistant") {
      auto calls = read_tool_calls(message);
      if (asked && !example.calls) example.calls = std::move(calls);
    } else if (role != "system" && role != "developer" && role != "tool") {
      message.at("role").refuse("\"system\", \"developer\", \"user\", \"assistant\" or \"tool\"");
    }
  }
  if (!asked) messages.refuse("a message with the role \"user\"");
  if (example.utterance.find_first_not_of(" \t\r\n") == std::string::npos)
    messages.refuse("a user message that is not blank");
  if (root.has("metadata")) example.metadata = root.at("metadata").object().json();
  return example;
}

Split read_split(const std::filesystem::path& file, double max_rejected_share) {
  const std::string content = host::read_file(file);
  std::string_view rest = content;
  if (rest.substr(0, byte_order_mark.size()) == byte_order_mark) rest.remove_prefix(byte_order_mark.size());
  Split split;
  for (std::int64_t line = 1; !rest.empty(); ++line) {
    const std::string_view text = take_line(rest);
    if (is_blank(text)) continue;
    host::throw_if_stop_requested();
    try {
      split.examples.push_back(from_row(host::parse_strict_json(text)));
    } catch (const std::invalid_argument& error) {
      split.rejected.push_back({line, error.what(), std::string(text)});
    }
  }
  const auto rows = static_cast<double>(split.examples.size() + split.rejected.size());
  if (static_cast<double>(split.rejected.size()) > max_rejected_share * rows)
    refuse_split(file, split, max_rejected_share);
  return split;
}

std::optional<Split> pass_on_split(const std::filesystem::path& from, const std::filesystem::path& to,
                                   double max_rejected_share) {
  if (!std::filesystem::exists(from)) return std::nullopt;
  Split split = read_split(from, max_rejected_share);
  if (split.rejected.empty())
    host::write_file_atomically(to, host::read_file(from));
  else
    write_split(to, split.examples);
  return split;
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
  for (const RejectedRow& row : rejected)
    content += to_line({{"line", row.line}, {"reason", row.reason}, {"text", row.text}});
  host::write_file_atomically(file, content);
}

std::vector<Tool> read_tools(const std::filesystem::path& tools_json) {
  return tools_from_json(host::read_json(tools_json), tools_json.string());
}

}  // namespace retort::task
