// Research corpora: intents and slots in BIO notation, CLINC150, the Schema-Guided Dialogues.
#include <algorithm>
#include <map>
#include <stdexcept>

#include "data/bio_corpus.h"
#include "data/row_sources.h"
#include "data/source_lines.h"
#include "host/base/files.h"
#include "host/base/json_cursor.h"
#include "task/row_file.h"

namespace retort::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json text_turn(const char* role, const std::string& text) {
  return {{"role", role}, {"content", text}};
}

json call_message(const json& calls) {
  json list = json::array();
  for (const json& call : calls) list.push_back({{"type", "function"}, {"function", call}});
  return {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", list}};
}

json whole_json(const fs::path& file) {
  try {
    return host::parse_strict_json(SourceLines(file).rest());
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error("'" + file.string() + "': expected JSON, found " + error.what());
  }
}

/// The tools of each service of an SGD schema.
using Services = std::map<std::string, json>;

/// An intent with its slots: categorical ones are enumerations, and "dontcare" is what callers say of optional ones.
json tool_of_intent(const json& intent, const std::map<std::string, json>& slots) {
  json properties = json::object(), required = json::array();
  const json optional = intent.value("optional_slots", json::object());
  const auto add = [&](const std::string& name, bool may_be_absent) {
    const auto slot = slots.find(name);
    json property = {{"type", "string"}};
    if (slot != slots.end()) {
      property["description"] = slot->second.value("description", "");
      const json values = slot->second.value("possible_values", json::array());
      if (slot->second.value("is_categorical", false) && !values.empty()) {
        property["enum"] = values;
        if (may_be_absent) property["enum"].push_back("dontcare");
      }
    }
    properties[name] = property;
  };
  for (const json& name : intent.value("required_slots", json::array())) {
    required.push_back(name);
    add(name, false);
  }
  for (const auto& item : optional.items()) add(item.key(), true);
  return {
      {"type", "function"},
      {"function",
       {{"name", intent.at("name")},
        {"description", intent.value("description", "")},
        {"parameters",
         {{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}}}}}};
}

Services services_of(const fs::path& schema) {
  Services services;
  const json all = whole_json(schema);
  if (!all.is_array()) throw std::runtime_error("'" + schema.string() + "': expected SGD's list of services");
  for (const json& service : all) {
    std::map<std::string, json> slots;
    for (const json& slot : service.value("slots", json::array())) slots[slot.at("name")] = slot;
    json tools = json::array();
    for (const json& intent : service.value("intents", json::array())) tools.push_back(tool_of_intent(intent, slots));
    services[service.at("service_name")] = tools;
  }
  return services;
}

const json& tools_of(const Services& services, const json& name) {
  const auto found = services.find(name.is_string() ? name.get<std::string>() : "");
  if (found == services.end())
    throw std::invalid_argument("row: /service: expected a service of the schema, found " + host::excerpt(name));
  return found->second;
}

/// A line with the history and the call that follows: {"service", "history": ["U: …", "S: …"], "call": {"method",
/// "parameters"}}.
json row_of_call(const Services& services, const json& line) {
  const host::JsonCursor root(line, "row");
  const host::JsonCursor history = root.object().at("history").array();
  json messages = json::array();
  for (std::size_t i = 0; i < history.size(); ++i) {
    const std::string turn = history.at(i).string();
    const bool user = turn.starts_with("U: ");
    if (!user && !turn.starts_with("S: ")) history.at(i).refuse("a turn that begins with \"U: \" or \"S: \"");
    messages.push_back(text_turn(user ? "user" : "assistant", turn.substr(3)));
    if (!user) messages.back()["weight"] = 0;  // the call is what the line is about
  }
  const host::JsonCursor call = root.at("call").object();
  messages.push_back(
      call_message({{{"name", call.at("method").string()}, {"arguments", call.at("parameters").object().json()}}}));
  json row = {{"messages", messages}, {"tools", tools_of(services, root.at("service").json())}};
  row["metadata"] = {{"service", root.at("service").json()}};
  if (root.has("id")) row["metadata"]["id"] = root.at("id").json();
  return row;
}

/// A whole dialogue as published: calls and their results stand in the system's frames, before what the system says.
json row_of_dialogue(const Services& services, const json& dialogue) {
  const host::JsonCursor root(dialogue, "row");
  json messages = json::array(), tools = json::array();
  const host::JsonCursor services_named = root.object().at("services").array();
  for (const json& service : services_named.json())
    for (const json& tool : tools_of(services, service))
      if (std::none_of(tools.begin(), tools.end(),
                       [&](const json& known) { return known["function"]["name"] == tool["function"]["name"]; }))
        tools.push_back(tool);
  const host::JsonCursor turns = root.at("turns").array();
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const host::JsonCursor turn = turns.at(i).object();
    const bool user = turn.at("speaker").string() == "USER";
    const json frames = turn.json().value("frames", json::array());
    for (const json& frame : user ? json::array() : frames) {
      if (!frame.is_object() || !frame.contains("service_call")) continue;
      const json& call = frame["service_call"];
      messages.push_back(call_message(
          {{{"name", call.value("method", json())}, {"arguments", call.value("parameters", json::object())}}}));
      messages.push_back(text_turn(
          "tool", frame.value("service_results", json::array()).dump(-1, ' ', false, json::error_handler_t::replace)));
    }
    messages.push_back(text_turn(user ? "user" : "assistant", turn.at("utterance").string()));
  }
  return {{"messages", messages}, {"tools", tools}, {"metadata", {{"id", root.json().value("dialogue_id", json())}}}};
}

void read_published_sgd(const fs::path& folder, const std::string& split, const TakeSourceRow& take) {
  const Services services = services_of(folder / "schema.json");
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("dialogues_")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    SourcePlace place{split, file.filename().string(), 0};
    const json dialogues = whole_json(file);
    if (!dialogues.is_array()) throw std::runtime_error("'" + file.string() + "': expected SGD's list of dialogues");
    for (const json& dialogue : dialogues) {
      ++place.line;
      take(place, dialogue.dump(-1, ' ', false, json::error_handler_t::replace),
           [&] { return row_of_dialogue(services, dialogue); });
    }
  }
}

void read_sgd_calls(const fs::path& calls, const fs::path& schema, const std::string& split,
                    const TakeSourceRow& take) {
  const Services services = services_of(schema);
  SourceLines lines(calls);
  SourcePlace place{split, calls.filename().string(), 0};
  for (std::string text; lines.next_filled(text);) {
    place.line = lines.line();
    take(place, text, [&] { return row_of_call(services, task::parse_row(text)); });
  }
}

}  // namespace

void read_sgd(const SourceOptions& options, const TakeSourceRow& take) {
  bool found = false;
  for (const std::string split : {"train", "dev", "test"}) {
    const fs::path published = options.path / split, schema = options.path / (split + "_schema.json");
    if (fs::exists(published / "schema.json")) {
      read_published_sgd(published, split_named(split), take);
      found = true;
    }
    for (const char* ending : {"_calls.jsonl", "_calls.jsonl.gz"}) {
      const fs::path calls = options.path / (split + ending);
      if (!fs::exists(calls) || !fs::exists(schema)) continue;
      read_sgd_calls(calls, schema, split_named(split), take);
      found = true;
    }
  }
  if (!found && fs::exists(options.path / "schema.json")) {
    read_published_sgd(options.path, split_named(options.path.filename().string()), take);
    found = true;
  }
  if (!found)
    throw std::invalid_argument("'" + options.path.string() +
                                "': expected train, dev and test with schema.json and dialogues_*.json, or "
                                "SPLIT_calls.jsonl beside SPLIT_schema.json, found neither");
}

void read_bio_rows(const SourceOptions& options, const TakeSourceRow& take) {
  bool found = false;
  for (const std::string split : {"train", "valid", "test", "."}) {
    const fs::path folder = split == "." ? options.path : options.path / split;
    if (!fs::exists(folder / "seq.in") || (split == "." && found)) continue;
    found = true;
    SourcePlace place{split == "." ? "train" : split_named(split),
                      (fs::path(split) / "seq.in").lexically_normal().string(), 0};
    for_each_bio_line(folder, [&](const BioLine& line) {
      place.line = line.number;
      take(place, line.text(), [&] { return task::to_row(to_example(line.tokens, line.tags, line.label)); });
    });
  }
  if (!found)
    throw std::invalid_argument("'" + options.path.string() +
                                "': expected train, valid and test, each with seq.in, seq.out and label, found none");
}

void read_clinc(const SourceOptions& options, const TakeSourceRow& take) {
  if (fs::is_directory(options.path))
    throw std::invalid_argument("'" + options.path.string() +
                                "': expected one of CLINC150's files, such as data_full.json, found a folder");
  const json document = whole_json(options.path);
  if (!document.is_object())
    throw std::invalid_argument("'" + options.path.string() + "': expected CLINC150's object of splits, found " +
                                host::excerpt(document));
  for (const std::string name : {"train", "oos_train", "val", "oos_val", "test", "oos_test"}) {
    if (!document.contains(name)) continue;
    SourcePlace place{split_named(name.starts_with("oos_") ? name.substr(4) : name), name, 0};
    for (const json& pair : document[name]) {
      ++place.line;
      take(place, pair.dump(-1, ' ', false, json::error_handler_t::replace), [&]() -> json {
        const host::JsonCursor row(pair, "row");
        if (row.array().size() != 2) row.refuse("a text and its intent");
        const std::string intent = row.at(1).string();
        json messages = json::array({text_turn("user", row.at(std::size_t{0}).string())});
        messages.push_back(intent == "oos" ? text_turn("assistant", "")
                                           : call_message({{{"name", intent}, {"arguments", json::object()}}}));
        return {{"messages", messages}};
      });
    }
  }
}

}  // namespace retort::data
