// See grammar_options.h.
#include "grammar/grammar_options.h"

#include <algorithm>
#include <set>

#include "host/base/json_cursor.h"

namespace retort::grammar {
namespace {

void read_enums(GrammarOptions& options, const host::JsonCursor& json) {
  json.object();
  for (auto tool = json.json().begin(); tool != json.json().end(); ++tool) {
    const host::JsonCursor arguments = json.at(tool.key());
    arguments.object();
    for (auto argument = tool->begin(); argument != tool->end(); ++argument) {
      const host::JsonCursor list = arguments.at(argument.key());
      std::vector<std::string>& values = options.enums[tool.key()][argument.key()];
      values.clear();
      for (std::size_t i = 0; i < list.array().size(); ++i) values.push_back(list.at(i).string());
      if (values.empty()) list.refuse("at least one text");
    }
  }
}

}  // namespace

GrammarOptions grammar_options_from_json(const nlohmann::json& json, const std::string& origin) {
  static const std::set<std::string> known = {"values_from_utterance", "no_call", "most_calls", "ask_back", "enums"};
  const host::JsonCursor root(json, origin);
  root.object();
  for (auto item = json.begin(); item != json.end(); ++item)
    if (!known.contains(item.key()))
      root.at(item.key()).refuse("values_from_utterance, no_call, most_calls, ask_back or enums");
  GrammarOptions options;
  if (root.has("values_from_utterance")) options.values_from_utterance = root.at("values_from_utterance").boolean();
  if (root.has("no_call")) options.no_call = root.at("no_call").boolean();
  if (root.has("most_calls")) options.most_calls = root.at("most_calls").integer(0, 1000);
  if (root.has("ask_back")) options.ask_back = root.at("ask_back").boolean();
  if (root.has("enums")) read_enums(options, root.at("enums"));
  return options;
}

nlohmann::json to_json(const GrammarOptions& options) {
  return {{"values_from_utterance", options.values_from_utterance},
          {"no_call", options.no_call},
          {"most_calls", options.most_calls},
          {"ask_back", options.ask_back},
          {"enums", options.enums}};
}

void add_enums(GrammarOptions& options, const nlohmann::json& json, const std::string& origin) {
  read_enums(options, host::JsonCursor(json, origin));
}

GrammarOptions options_for(GrammarOptions options, const std::vector<std::string>& names) {
  std::erase_if(options.enums,
                [&](const auto& tool) { return std::find(names.begin(), names.end(), tool.first) == names.end(); });
  return options;
}

}  // namespace retort::grammar
