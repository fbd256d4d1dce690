// The rules of sim_rl.h.
#include "sim_rl.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "longest_common_subsequence.h"
#include "porter.h"

namespace retort::sim_rl {
namespace {

using nlohmann::json;

std::vector<std::string> stems(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9'))
      words.back() += lower;
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  for (std::string& word : words)
    if (word.size() > 3) word = porter_stem(word);
  return words;
}

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\n\r\f\v") == std::string::npos;
}

bool counts(const json& value) {
  return value.is_number() || value.is_boolean();
}

double number(const json& value) {
  return value.is_boolean() ? (value.get<bool>() ? 1 : 0) : value.get<double>();
}

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_or(const json* value, const std::string& otherwise) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : otherwise;
}

const json& arguments_of(const json& call) {
  static const json none = json::object();
  const json* arguments = member(call, "arguments");
  return arguments == nullptr ? none : *arguments;
}

bool is_call_list(const json* calls) {
  return calls != nullptr && calls->is_array() && std::all_of(calls->begin(), calls->end(), [](const json& call) {
           return member(call, "name") != nullptr && call["name"].is_string() && arguments_of(call).is_object();
         });
}

/// What is wrong with the calls by rule 1, or nothing.
std::optional<std::string> refusal(const json& calls, const json& tools) {
  for (const json& call : calls) {
    const std::string name = call["name"];
    const json* function = nullptr;
    for (const json& tool : tools) {
      const json* candidate = member(tool, "function");
      if (candidate != nullptr && text_or(member(*candidate, "name"), "") == name) function = candidate;
    }
    if (function == nullptr) return "unknown tool \"" + name + "\"";
    const json* parameters = member(*function, "parameters");
    const json* properties = parameters == nullptr ? nullptr : member(*parameters, "properties");
    for (const auto& argument : arguments_of(call).items())
      if (properties == nullptr || !properties->contains(argument.key()))
        return name + ": unknown argument \"" + argument.key() + "\"";
  }
  return std::nullopt;
}

}  // namespace

double rouge_l(const std::string& said, const std::string& reference) {
  if (said == reference) return 1;
  if (blank(said) || blank(reference)) return 0;
  const std::vector<std::string> a = stems(said), b = stems(reference);
  if (a.empty() || b.empty()) return 0;
  return 2.0 * static_cast<double>(rewards::longest_common_subsequence(a, b)) /
         static_cast<double>(a.size() + b.size());
}

double argument_similarity(const json& said, const json& reference) {
  if (said.is_string() && reference.is_string()) return rouge_l(said.get<std::string>(), reference.get<std::string>());
  if (counts(said) && counts(reference)) return number(said) == number(reference) ? 1 : 0;
  const auto text = [](const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  return text(said) == text(reference) ? 1 : 0;
}

double call_similarity(const json& said, const json& reference) {
  const json &a = arguments_of(said), &b = arguments_of(reference);
  double sum = 0;
  std::size_t shared = 0;
  for (const auto& argument : a.items()) {
    if (!b.contains(argument.key())) continue;
    ++shared;
    sum += argument_similarity(argument.value(), b[argument.key()]);
  }
  const std::size_t all = a.size() + b.size() - shared;
  return all == 0 ? 1 : sum / static_cast<double>(all);
}

double calls_similarity(const json& said, const json& reference) {
  std::vector<const json*> left;
  for (const json& call : reference) left.push_back(&call);
  double sum = 0;
  for (const json& call : said) {
    double most = -1;
    auto best = left.end();
    for (auto candidate = left.begin(); candidate != left.end(); ++candidate) {
      if ((**candidate)["name"] != call["name"]) continue;
      const double similarity = call_similarity(call, **candidate);
      if (similarity > most) {
        most = similarity;
        best = candidate;
      }
    }
    if (best == left.end()) continue;
    sum += most;
    left.erase(best);
  }
  const std::size_t all = said.size() + left.size();
  return all == 0 ? 1 : sum / static_cast<double>(all);
}

Verdict judge(const json& item, const json& tools) {
  if (!item.is_object()) throw std::invalid_argument(std::string("expected an object, found ") + item.type_name());
  if (!tools.is_array())
    throw std::invalid_argument(std::string("tools: expected an array, found ") + tools.type_name());
  const json* response = member(item, "response");
  const json* reference = member(item, "reference");
  if (response == nullptr) throw std::invalid_argument("response: expected {\"calls\"} or {\"malformed\"}, found none");
  if (const json* malformed = member(*response, "malformed")) return {-1, text_or(malformed, "malformed"), true};
  const json* calls = member(*response, "calls");
  if (!is_call_list(calls)) return {-1, "expected {\"calls\": [{\"name\", \"arguments\"}]}", true};
  if (auto reason = refusal(*calls, tools)) return {-1, *reason, true};
  if (reference == nullptr) throw std::invalid_argument("reference: Sim-RL compares with one, and the item has none");
  const json* expected = member(*reference, "calls");
  const json* content = member(*reference, "content");
  if (content != nullptr && content->is_string() && (expected == nullptr || expected->empty())) {
    const std::string said = text_or(member(*response, "content"), "");
    const double score = calls->empty() && !said.empty() ? rouge_l(said, content->get<std::string>()) : 0;
    return {score, score < 1 ? "expected a text" : "", false};
  }
  if (!is_call_list(expected))
    throw std::invalid_argument("reference: expected {\"calls\": [{\"name\", \"arguments\"}]}");
  const double score = !expected->empty() && calls->empty() ? 0 : calls_similarity(*calls, *expected);
  return {score, score < 1 ? "expected " + expected->dump() + ", found " + calls->dump() : "", false};
}

}  // namespace retort::sim_rl
