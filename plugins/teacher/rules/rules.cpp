// Politeness off, clauses apart, one rule each. The rules themselves are in *_rules.cpp.
#include "rules.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "clause_rules.h"
#include "phrase.h"

namespace retort::rules {
namespace {

using nlohmann::json;

bool drop_front(Words& words, std::initializer_list<std::string_view> sequences) {
  for (const std::string_view sequence : sequences) {
    if (!Phrase(words).begins_with(sequence)) continue;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(split_words(sequence).size()));
    return true;
  }
  return false;
}

bool drop_back(Words& words, std::initializer_list<std::string_view> sequences) {
  for (const std::string_view sequence : sequences) {
    const Words ending = split_words(sequence);
    if (words.size() <= ending.size() || !std::equal(ending.rbegin(), ending.rend(), words.rbegin())) continue;
    words.resize(words.size() - ending.size());
    return true;
  }
  return false;
}

Words without_politeness(Words words) {
  while (drop_front(words, {"hey", "okay", "please", "can you", "could you", "would you", "i want you to",
                            "i would like you to", "first"})) {
  }
  while (drop_back(words, {"please", "for me", "now"})) {
  }
  return words;
}

std::optional<json> read_clause(const Words& words) {
  for (const auto* rules : {&device_rules(), &planning_rules(), &media_rules()}) {
    for (const ClauseRule rule : *rules) {
      if (auto call = rule(Phrase(words))) return call;
    }
  }
  return std::nullopt;
}

/// Length of the connector ("and then", ", also", "after that", …) at `begin`; 0 where there is none.
std::size_t connector(const Words& words, std::size_t begin) {
  std::size_t end = begin;
  for (;;) {
    const bool single = end < words.size() &&
                        (words[end] == "," || words[end] == "and" || words[end] == "then" || words[end] == "also");
    const bool after = end + 1 < words.size() && words[end] == "after" && words[end + 1] == "that";
    if (!single && !after) return end - begin;
    end += single ? 1 : 2;
  }
}

/// What "it" means after a call; nothing where "it" would be unclear.
Words meaning_of_it(const json& call) {
  const std::string tool = call["name"];
  const json& arguments = call["arguments"];
  if (tool == "light_switch") return split_words(arguments["room"].get<std::string>() + " light");
  if (tool == "music_play") return {"music"};
  if (tool == "appliance_switch" && arguments["appliance"] == "television") return {"tv"};
  return {};
}

/// "set it to …" after a call becomes "set the kitchen light to …".
Words with_it_replaced(Words words, const json& before) {
  const auto it = std::find(words.begin(), words.end(), "it");
  Words meaning = meaning_of_it(before);
  if (it == words.end() || meaning.empty()) return words;
  *it = "the";
  words.insert(it + 1, meaning.begin(), meaning.end());
  return words;
}

/// The first clause as long as possible, the others likewise. `before`: the call of the clause before, or null.
std::optional<json> read_clauses(const Words& words, const json& before = nullptr) {
  if (words.empty()) return std::nullopt;
  for (std::size_t end = words.size(); end > 0; --end) {
    const std::size_t gap = end == words.size() ? 0 : connector(words, end);
    if (end != words.size() && (gap == 0 || connector(words, end - 1) != 0)) continue;
    const Words head(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(end));
    auto call = read_clause(before.is_null() ? head : with_it_replaced(head, before));
    if (!call) continue;
    json calls = json::array({std::move(*call)});
    if (end == words.size()) return calls;
    auto rest = read_clauses(Words(words.begin() + static_cast<std::ptrdiff_t>(end + gap), words.end()), calls[0]);
    if (!rest) continue;
    for (json& next : *rest) calls.push_back(std::move(next));
    return calls;
  }
  return std::nullopt;
}

/// Content of the last user message, or nothing.
std::optional<std::string> utterance_of(const json& request) {
  if (!request.is_object() || !request.contains("messages") || !request["messages"].is_array()) return std::nullopt;
  const json& messages = request["messages"];
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (message->is_object() && message->value("role", json()) == "user" &&
        message->value("content", json()).is_string()) {
      return message->at("content").get<std::string>();
    }
  }
  return std::nullopt;
}

json to_message(const Answer& answer) {
  json message = {{"role", "assistant"}, {"content", nullptr}};
  if (!answer.understood) {
    message["refusal"] = answer.refusal;
    return message;
  }
  if (answer.calls.empty()) message["content"] = "";
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    const json& call = answer.calls[i];
    message["tool_calls"].push_back({{"id", "call_" + std::to_string(i)},
                                     {"type", "function"},
                                     {"function", {{"name", call["name"]}, {"arguments", call["arguments"].dump()}}}});
  }
  return message;
}

json respond(const json& request, double forgets, const json& tools) {
  const auto utterance = utterance_of(request);
  if (!utterance) return {{"error", "expected a user message with text in \"messages\""}};
  const json n = request.value("n", json(1));
  if (!n.is_number_integer() || n.get<double>() < 1 || n.get<double>() > 128)
    return {{"error", "\"n\": expected a number from 1 to 128"}};
  const Answer found = forgetful_answer(*utterance, forgets, tools);
  const auto tokens = static_cast<std::int64_t>(split_words(*utterance).size());
  const json choice = {{"message", to_message(found)}, {"finish_reason", found.calls.empty() ? "stop" : "tool_calls"}};
  return {{"choices", std::vector<json>(n.get<std::size_t>(), choice)},
          {"usage", {{"prompt_tokens", tokens}, {"completion_tokens", 0}}}};
}

/// Whether one of `tools` has this name and does not require this argument.
bool is_optional(const json& tools, const json& name, const std::string& argument) {
  for (const json& tool : tools) {
    if (tool.at("function").at("name") != name) continue;
    const json required = tool["function"].at("parameters").value("required", json::array());
    return std::find(required.begin(), required.end(), argument) == required.end();
  }
  return false;
}

/// From 0 to below 1: FNV-1a of the text, its bits mixed as SplitMix64 does.
double share_of(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  hash = (hash ^ (hash >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  hash = (hash ^ (hash >> 27U)) * 0x94D049BB133111EBULL;
  return static_cast<double>((hash ^ (hash >> 31U)) >> 11U) * 0x1p-53;
}

}  // namespace

Answer answer(std::string_view utterance) {
  const Words words = without_politeness(split_words(utterance));
  if (auto calls = read_clauses(words)) return {true, std::move(*calls), ""};
  if (is_off_topic(Phrase(words)) || is_off_topic(Phrase(split_words(utterance)))) return {true, json::array(), ""};
  return {false, json::array(), "cannot read \"" + std::string(utterance) + "\" as requests that the rules know"};
}

Answer forgetful_answer(std::string_view utterance, double forgets, const json& tools) {
  Answer found = answer(utterance);
  if (found.calls.empty() || share_of(utterance) >= forgets) return found;
  if (found.calls.size() > 1) {
    found.calls.erase(found.calls.size() - 1);
    return found;
  }
  json& arguments = found.calls[0]["arguments"];
  std::string last;
  for (const auto& argument : arguments.items())
    if (is_optional(tools, found.calls[0]["name"], argument.key())) last = argument.key();
  if (!last.empty()) arguments.erase(last);
  return found;
}

void complete(std::string_view requests, double forgets, std::string_view tools,
              const std::function<void(std::size_t, const std::string&)>& take) {
  const json parsed = json::parse(requests, nullptr, false);
  if (!parsed.is_array()) throw std::invalid_argument("teacher.rules: expected a JSON array of chat requests");
  const json listed = tools.empty() ? json::array() : json::parse(tools, nullptr, false);
  if (!listed.is_array()) throw std::invalid_argument("teacher.rules: tools: expected a JSON array");
  for (std::size_t i = 0; i < parsed.size(); ++i)
    take(i, respond(parsed[i], forgets, listed).dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace retort::rules
