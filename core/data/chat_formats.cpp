// Messages written one way or the other.
#include "data/chat_formats.h"

#include <stdexcept>

namespace retort::data {
namespace {

using nlohmann::json;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json openai_messages(const task::Conversation& conversation, bool arguments_as_objects) {
  json messages = task::messages_to_json(conversation.messages);
  if (arguments_as_objects)
    for (json& message : messages)
      if (message.contains("tool_calls"))
        for (json& call : message["tool_calls"]) {
          json& arguments = call["function"]["arguments"];
          if (arguments.is_string()) arguments = json::parse(arguments.get<std::string>());
        }
  return messages;
}

/// One turn: calls as {"name", "arguments"}, several as a list of these.
std::string function_calls(const task::Message& message) {
  json calls = json::array();
  for (const task::IdentifiedCall& one : message.tool_calls)
    calls.push_back({{"name", one.call.name}, {"arguments", one.call.arguments}});
  return text_of(calls.size() == 1 ? calls[0] : calls);
}

json llama_factory_row(const task::Conversation& conversation, const std::vector<task::Tool>& tools) {
  json turns = json::array();
  json row = {{"system", ""}};  // the reader takes the column of every row that dataset_info.json names
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const task::Message& message = conversation.messages[i];
    if (message.role == task::Role::system || message.role == task::Role::developer) {
      if (i > 0) throw std::invalid_argument("/messages/" + std::to_string(i) + ": expected a system text first only");
      row["system"] = message.content;
      continue;
    }
    const bool asks = message.role == task::Role::user || message.role == task::Role::tool;
    if (asks && message.role == task::Role::tool && !turns.empty() && turns.back()["from"] == "observation") {
      turns.back()["value"] = turns.back()["value"].get<std::string>() + "\n" + message.content;  // parallel results
      continue;
    }
    if (asks != (turns.size() % 2 == 0))
      throw std::invalid_argument("/messages/" + std::to_string(i) + ": expected questions and answers in turn");
    if (!asks && !message.tool_calls.empty() && !message.content.empty())
      throw std::invalid_argument("/messages/" + std::to_string(i) + ": expected calls or text, found both");
    const char* from = message.role == task::Role::user   ? "human"
                       : message.role == task::Role::tool ? "observation"
                       : message.tool_calls.empty()       ? "gpt"
                                                          : "function_call";
    turns.push_back(
        {{"from", from}, {"value", asks || message.tool_calls.empty() ? message.content : function_calls(message)}});
  }
  row["conversations"] = turns;
  json functions = json::array();
  for (const json& tool : task::tools_to_json(tools)) functions.push_back(tool.at("function"));
  row["tools"] = text_of(functions);
  return row;
}

}  // namespace

ChatFormat chat_format(const std::string& name) {
  if (name == "openai") return ChatFormat::openai;
  if (name == "trl") return ChatFormat::trl;
  if (name == "axolotl") return ChatFormat::axolotl;
  if (name == "llama-factory") return ChatFormat::llama_factory;
  throw std::invalid_argument("format: expected openai, trl, axolotl or llama-factory, found \"" + name + "\"");
}

json in_format(const task::Conversation& conversation, const std::vector<task::Tool>& tools, ChatFormat format) {
  if (format == ChatFormat::llama_factory) return llama_factory_row(conversation, tools);
  json row = {{"messages", openai_messages(conversation, format == ChatFormat::trl)}};
  if (format != ChatFormat::openai)  // chat templates cut texts and put them together: Qwen3's fails on null
    for (json& message : row["messages"])
      if (message["content"].is_null()) message["content"] = "";
  if (format == ChatFormat::axolotl)
    for (json& message : row["messages"])
      if (message.contains("weight")) {
        message["train"] = message["weight"] != 0;
        message.erase("weight");
      }
  const json listed = task::tools_to_json(tools);
  // As a column of objects, `datasets` gives each tool the parameters of all.
  row["tools"] = format == ChatFormat::openai ? listed : json(text_of(listed));
  return row;
}

json llama_factory_info(const std::string& name, const std::vector<std::string>& splits, bool ranking) {
  json info = json::object();
  for (const std::string& split : splits) {
    json& entry = info[name + "_" + split];
    entry = {{"file_name", split + ".jsonl"},
             {"formatting", "sharegpt"},
             {"columns", {{"messages", "conversations"}, {"system", "system"}, {"tools", "tools"}}}};
    if (!ranking) continue;
    entry["ranking"] = true;
    entry["columns"]["chosen"] = "chosen";
    entry["columns"]["rejected"] = "rejected";
  }
  return info;
}

}  // namespace retort::data
