// Traces in OpenTelemetry's JSON (OTLP/JSON of spans and log records, or spans as exporters print them), by the
// semantic conventions for generative AI: gen_ai.system_instructions, gen_ai.input.messages, gen_ai.output.messages and
// gen_ai.tool.definitions, each as JSON or as its text; also as OpenLLMetry's numbered attributes
// (gen_ai.prompt.0.role, gen_ai.completion.0.tool_calls.0.name, llm.request.functions.0.name) and as a span's events
// (gen_ai.user.message, gen_ai.choice), which came before. Parts that no chat row has a place for are refused.
#include <algorithm>
#include <stdexcept>

#include "data/row_sources.h"
#include "host/base/json_cursor.h"

namespace retort::data {
namespace {

using host::JsonCursor;
using nlohmann::json;

/// OTLP's AnyValue as plain JSON.
json plain(const json& value) {
  if (!value.is_object() || value.size() != 1) return value;
  const auto entry = value.begin();
  const std::string& key = entry.key();
  const json& inner = entry.value();
  if (key == "stringValue" || key == "boolValue" || key == "doubleValue" || key == "bytesValue") return inner;
  if (key == "intValue")
    return inner.is_string() ? json(std::strtoll(inner.get<std::string>().c_str(), nullptr, 10)) : inner;
  if (key == "arrayValue") {
    json list = json::array();
    if (inner.is_object() && inner.contains("values"))
      for (const json& one : inner["values"]) list.push_back(plain(one));
    return list;
  }
  if (key == "kvlistValue") {
    json object = json::object();
    if (inner.is_object() && inner.contains("values"))
      for (const json& one : inner["values"])
        if (one.is_object() && one.value("key", json()).is_string())
          object[one["key"].get<std::string>()] = plain(one.value("value", json()));
    return object;
  }
  return value;
}

json text_part(const std::string& text) {
  return {{"type", "text"}, {"content", text}};
}

/// A content that is a text, or OpenAI's list of parts as its text.
void add_content(const json& content, json& parts) {
  if (!content.is_string() || content == "") return;
  const auto& text = content.get_ref<const std::string&>();
  const json list = text.starts_with("[{") ? json::parse(text, nullptr, false) : json();
  const auto is_text = [](const json& part) {
    return part.is_object() && part.value("type", json()) == "text" && part.value("text", json()).is_string();
  };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_text)) return parts.push_back(text_part(text));
  for (const json& part : list) parts.push_back(text_part(part["text"]));
}

/// OpenLLMetry's messages at PREFIX.0., PREFIX.1., …
json numbered_messages(const json& attributes, const std::string& prefix) {
  json messages = json::array();
  for (std::size_t i = 0;; ++i) {
    const std::string at = prefix + "." + std::to_string(i) + ".";
    const json role = attributes.value(at + "role", json());
    if (!role.is_string()) return messages;
    json message = {{"role", role}, {"parts", json::array()}};
    const json content = attributes.value(at + "content", json());
    if (role == "tool")
      message["parts"].push_back({{"type", "tool_call_response"},
                                  {"id", attributes.value(at + "tool_call_id", json())},
                                  {"response", content}});
    else
      add_content(content, message["parts"]);
    for (std::size_t call = 0;; ++call) {
      const std::string part = at + "tool_calls." + std::to_string(call) + ".";
      if (!attributes.contains(part + "name")) break;
      message["parts"].push_back({{"type", "tool_call"},
                                  {"id", attributes.value(part + "id", json())},
                                  {"name", attributes[part + "name"]},
                                  {"arguments", attributes.value(part + "arguments", json())}});
    }
    if (attributes.contains(at + "finish_reason")) message["finish_reason"] = attributes[at + "finish_reason"];
    messages.push_back(std::move(message));
  }
}

void join_numbered(json& attributes) {
  if (attributes.contains("gen_ai.input.messages") || !attributes.contains("gen_ai.prompt.0.role")) return;
  attributes["gen_ai.input.messages"] = numbered_messages(attributes, "gen_ai.prompt");
  attributes["gen_ai.output.messages"] = numbered_messages(attributes, "gen_ai.completion");
  json tools = json::array();
  for (std::size_t i = 0;; ++i) {
    const std::string at = "llm.request.functions." + std::to_string(i) + ".";
    if (!attributes.contains(at + "name")) break;
    json tool = {{"type", "function"}, {"name", attributes[at + "name"]}};
    if (attributes.contains(at + "description")) tool["description"] = attributes[at + "description"];
    const json parameters = attributes.value(at + "parameters", json());
    if (parameters.is_string()) tool["parameters"] = json::parse(parameters.get<std::string>(), nullptr, false);
    if (tool.value("parameters", json()).is_discarded()) tool["parameters"] = parameters;
    tools.push_back(std::move(tool));
  }
  if (!tools.empty()) attributes["gen_ai.tool.definitions"] = std::move(tools);
}

/// The message of an event: its "content" and OpenAI's "tool_calls", each as JSON or as its text.
json event_message(const std::string& role, const json& said) {
  json message = {{"role", role}, {"parts", json::array()}};
  const json content = said.value("content", json());
  if (role == "tool")
    message["parts"].push_back(
        {{"type", "tool_call_response"}, {"id", said.value("id", json())}, {"response", content}});
  else
    add_content(content, message["parts"]);
  json calls = said.value("tool_calls", json());
  if (calls.is_string()) calls = json::parse(calls.get<std::string>(), nullptr, false);
  for (const json& call : calls.is_array() ? calls : json::array()) {
    const json function = call.is_object() ? call.value("function", json()) : json();
    if (!function.is_object()) continue;
    message["parts"].push_back({{"type", "tool_call"},
                                {"id", call.value("id", json())},
                                {"name", function.value("name", json())},
                                {"arguments", function.value("arguments", json())}});
  }
  return message;
}

json attributes_of(const json& record);

void join_events(const json& events, json& attributes) {
  if (attributes.contains("gen_ai.input.messages")) return;
  json input = json::array(), output = json::array();
  for (const json& event : events) {
    const std::string name = event.is_object() && event.value("name", json()).is_string() ? event["name"] : "";
    const json said = name.starts_with("gen_ai.") ? attributes_of(event) : json();
    if (!said.is_object()) continue;
    if (said.contains("gen_ai.input.messages")) return attributes.update(said);
    if (name == "gen_ai.choice") {
      json message = said.value("message", json());
      if (message.is_string()) message = json::parse(message.get<std::string>(), nullptr, false);
      output.push_back(event_message("assistant", message.is_object() ? message : said));
      if (said.contains("finish_reason")) output.back()["finish_reason"] = said["finish_reason"];
    } else if (name.ends_with(".message")) {
      input.push_back(event_message(name.substr(7, name.size() - 7 - 8), said));
    }
  }
  if (input.empty() && output.empty()) return;
  attributes["gen_ai.input.messages"] = std::move(input);
  attributes["gen_ai.output.messages"] = std::move(output);
}

/// Attributes as a list of {"key", "value"}, or as an object.
json attributes_of(const json& record) {
  json attributes = json::object();
  const json given = record.value("attributes", json());
  if (given.is_array()) {
    for (const json& one : given)
      if (one.is_object() && one.value("key", json()).is_string())
        attributes[one["key"].get<std::string>()] = plain(one.value("value", json()));
  } else if (given.is_object()) {
    for (const auto& item : given.items()) attributes[item.key()] = plain(item.value());
  }
  const json context = record.value("context", json::object());
  for (const auto& [ours, theirs] : {std::pair("trace_id", "traceId"), std::pair("span_id", "spanId")}) {
    json id = record.contains(theirs) ? record[theirs] : record.value(ours, json());
    if (id.is_null() && context.is_object()) id = context.value(ours, json());
    if (id.is_string()) attributes[ours] = id;
  }
  join_numbered(attributes);
  const json events = record.value("events", json());
  if (events.is_array()) join_events(events, attributes);
  return attributes;
}

void collect(const json& value, const std::vector<std::pair<const char*, const char*>>& levels, std::size_t level,
             std::vector<json>& records) {
  for (const auto& [camel, snake] : {levels[level]}) {
    const json* list = value.contains(camel) ? &value[camel] : value.contains(snake) ? &value[snake] : nullptr;
    if (list == nullptr || !list->is_array()) continue;
    for (const json& one : *list) {
      if (!one.is_object()) continue;
      if (level + 1 == levels.size())
        records.push_back(attributes_of(one));
      else
        collect(one, levels, level + 1, records);
    }
  }
}

/// JSON of an attribute that may be its text.
json structured(const json& attributes, const char* key) {
  const json value = attributes.value(key, json());
  if (!value.is_string()) return value;
  try {
    return host::parse_strict_json(value.get<std::string>());
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string("row: /") + key + ": expected JSON, found " + error.what());
  }
}

std::string response_text(const json& response) {
  if (response.is_string()) return response;
  if (response.is_array() && response.size() == 1 && response[0].is_object() &&
      response[0].value("type", json()) == "text" && response[0].value("content", json()).is_string())
    return response[0]["content"];
  return response.dump(-1, ' ', false, json::error_handler_t::replace);
}

void add_part(const JsonCursor& part, json& message, json& results) {
  const std::string type = part.at("type").string();
  if (type == "text") {
    const std::string before = message.value("content", "");
    message["content"] = before + (before.empty() ? "" : "\n") + part.at("content").string();
  } else if (type == "tool_call") {
    json arguments = part.has("arguments") ? part.at("arguments").json() : json::object();
    json call = {{"type", "function"}, {"function", {{"name", part.at("name").string()}, {"arguments", arguments}}}};
    if (part.has("id")) call["id"] = part.at("id").string();
    message["tool_calls"].push_back(call);
  } else if (type == "tool_call_response") {
    json result = {{"role", "tool"},
                   {"content", response_text(part.at(part.has("response") ? "response" : "result").json())}};
    if (part.has("id")) result["tool_call_id"] = part.at("id").string();
    results.push_back(result);
  } else if (type != "reasoning") {  // what a model thought is not what it said
    part.at("type").refuse("\"text\", \"tool_call\", \"tool_call_response\" or \"reasoning\"");
  }
}

/// One message of the conventions: results of calls become messages of their own.
void add_message(const JsonCursor& given, bool earlier, json& messages) {
  json message = {{"role", given.object().at("role").string()}}, results = json::array();
  if (given.has("content") && given.at("content").json().is_string()) message["content"] = given.at("content").string();
  if (given.has("parts")) {
    const JsonCursor parts = given.at("parts").array();
    for (std::size_t i = 0; i < parts.size(); ++i) add_part(parts.at(i).object(), message, results);
  }
  for (const json& result : results) messages.push_back(result);
  if (message["role"] == "tool" || (!results.empty() && message.size() == 1)) return;
  if (message["role"] == "model") message["role"] = "assistant";
  if (!message.contains("content")) message["content"] = message.contains("tool_calls") ? json() : json("");
  if (earlier && message["role"] == "assistant") message["weight"] = 0;  // an earlier span has it as its answer
  messages.push_back(message);
}

}  // namespace

std::vector<json> gen_ai_records(const json& document) {
  if (!document.is_object())
    throw std::invalid_argument("row: expected an object of OTLP or a span, found " + host::excerpt(document));
  std::vector<json> records;
  collect(document, {{"resourceSpans", "resource_spans"}, {"scopeSpans", "scope_spans"}, {"spans", "spans"}}, 0,
          records);
  collect(document, {{"resourceLogs", "resource_logs"}, {"scopeLogs", "scope_logs"}, {"logRecords", "log_records"}}, 0,
          records);
  if (records.empty() && document.contains("attributes")) records.push_back(attributes_of(document));
  const bool known = document.contains("resourceSpans") || document.contains("resourceLogs") ||
                     document.contains("resource_spans") || document.contains("resource_logs");
  if (records.empty() && !known)
    throw std::invalid_argument("row: expected \"resourceSpans\", \"resourceLogs\" or a span's \"attributes\", found " +
                                host::excerpt(document));
  return records;
}

json from_gen_ai(const json& attributes) {
  if (!attributes.contains("gen_ai.input.messages") || !attributes.contains("gen_ai.output.messages"))
    throw std::invalid_argument(
        "row: expected gen_ai.input.messages and gen_ai.output.messages, found none: the traces were recorded without "
        "what was said (most instrumentations record it on request, as with "
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT)");
  json messages = json::array(), metadata = json::object();
  const json instructions = structured(attributes, "gen_ai.system_instructions");
  if (!instructions.is_null()) {
    const json system = {
        {"role", "system"},
        {"parts",
         instructions.is_string() ? json::array({{{"type", "text"}, {"content", instructions}}}) : instructions}};
    add_message(JsonCursor(system, "row", "/gen_ai.system_instructions"), true, messages);
  }
  const json input = structured(attributes, "gen_ai.input.messages"),
             output = structured(attributes, "gen_ai.output.messages");
  const JsonCursor asked(input, "row", "/gen_ai.input.messages"), answered(output, "row", "/gen_ai.output.messages");
  for (std::size_t i = 0; i < asked.array().size(); ++i) add_message(asked.at(i), true, messages);
  if (answered.array().size() == 0) answered.refuse("an answer");
  const JsonCursor first = answered.at(std::size_t{0});
  const std::string reason = first.object().has("finish_reason") ? first.at("finish_reason").string() : "";
  if (reason == "length" || reason == "content_filter" || reason == "error")
    first.at("finish_reason").refuse("an answer that was finished");
  add_message(first, false, messages);
  if (answered.size() > 1) metadata["further_choices"] = answered.size() - 1;
  for (const char* key : {"trace_id", "span_id", "gen_ai.request.model", "gen_ai.response.model",
                          "gen_ai.conversation.id", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"})
    if (attributes.contains(key)) metadata[key] = attributes[key];
  json row = {{"messages", messages}, {"metadata", metadata}};
  const json tools = structured(attributes, "gen_ai.tool.definitions");
  if (tools.is_array() && !tools.empty()) {
    row["tools"] = json::array();
    for (json tool : tools) {
      if (tool.is_object() && tool.contains("name")) tool.erase("type");
      row["tools"].push_back(tool);
    }
  }
  return row;
}

}  // namespace retort::data
