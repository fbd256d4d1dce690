// See scoring.h.
#include "scoring.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace retort::openai {
namespace {

using nlohmann::json;

std::string excerpt_of(const json& value) {
  constexpr std::size_t longest = 200;
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= longest ? text : text.substr(0, longest) + "…";
}

std::vector<std::int64_t> ids_of(const json& request, const char* name) {
  const json given = request.is_object() ? request.value(name, json()) : json();
  const auto is_id = [](const json& one) { return one.is_number_integer() && one >= 0; };
  if (!given.is_array() || given.empty() || !std::all_of(given.begin(), given.end(), is_id))
    throw std::invalid_argument(std::string("expected \"") + name + "\": ids of tokens, found " + excerpt_of(request));
  return given.get<std::vector<std::int64_t>>();
}

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument(what);
}

double log_probability(const json& value) {
  if (!value.is_number()) refuse("expected a log-probability at each token, found " + excerpt_of(value));
  return std::min(0.0, value.get<double>());
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A token as servers name it: its text, "token_id:17", or "bytes:\xe2\x80" where it is no text.
json named_token(const std::string& name, double logprob) {
  constexpr std::string_view id_mark = "token_id:", bytes_mark = "bytes:";
  json token = {{"logprob", logprob}};
  if (const auto id = name.starts_with(id_mark) ? number_of(name.substr(id_mark.size())) : std::nullopt) {
    token["id"] = *id;
    return token;
  }
  if (name.starts_with(bytes_mark) && (name.size() - bytes_mark.size()) % 4 == 0 && name.size() > bytes_mark.size()) {
    std::vector<int> bytes;
    for (std::size_t at = bytes_mark.size(); at < name.size(); at += 4) {
      int byte = 0;
      const char* digits = name.data() + at + 2;
      if (name.compare(at, 2, "\\x") != 0 || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) break;
      bytes.push_back(byte);
    }
    if (bytes.size() * 4 == name.size() - bytes_mark.size()) {
      token["bytes"] = bytes;
      return token;
    }
  }
  token["token"] = name;
  return token;
}

void sort_top(json& top) {
  std::stable_sort(top.begin(), top.end(), [](const json& one, const json& other) {
    return one["logprob"].get<double>() > other["logprob"].get<double>();
  });
}

/// One place of vLLM's prompt_logprobs.
json token_by_id(const json& place, std::int64_t id) {
  const std::string key = std::to_string(id);
  if (!place.is_object() || !place.contains(key))
    refuse("expected the log-probability of token " + key + " at its place, found " + excerpt_of(place));
  const auto token_of = [](std::int64_t own, const json& said) {
    json token = {{"id", own}, {"logprob", log_probability(said.is_object() ? said.value("logprob", json()) : said)}};
    const json text = said.is_object() ? said.value("decoded_token", json()) : json();
    if (text.is_string()) token["token"] = text;
    return token;
  };
  json token = token_of(id, place[key]);
  token["top_logprobs"] = json::array();
  for (const auto& [name, said] : place.items()) {
    const auto other = number_of(name);
    if (!other) refuse("expected ids of tokens, found \"" + name + "\"");
    token["top_logprobs"].push_back(token_of(*other, said));
  }
  sort_top(token["top_logprobs"]);
  return token;
}

const json& array_in(const json& object, const char* name, std::size_t least, const char* otherwise) {
  if (!object.is_object() || !object.contains(name) || !object[name].is_array())
    refuse(std::string("no \"") + name + "\" in the answer: " + otherwise);
  if (object[name].size() < least)
    refuse("\"" + std::string(name) + "\" of " + std::to_string(object[name].size()) + " tokens where " +
           std::to_string(least) + " were given: " + otherwise);
  return object[name];
}

json tokens_by_id(const json& answer, const ScoreRequest& request) {
  const json& choice = answer["choices"][0];
  const json& holder = choice.contains("prompt_logprobs") ? choice : answer;
  const json& places =
      array_in(holder, "prompt_logprobs", request.length(), "the server does not know this option, or cuts prompts");
  json tokens = json::array();
  for (std::size_t i = 0; i < request.continuation.size(); ++i)
    tokens.push_back(token_by_id(places[request.prompt.size() + i], request.continuation[i]));
  return tokens;
}

json tokens_by_name(const json& answer, const ScoreRequest& request) {
  const json logprobs = answer["choices"][0].value("logprobs", json());
  constexpr const char* otherwise = "the server gives log-probabilities of what it answers, not of what it is given";
  const json& names = array_in(logprobs, "tokens", request.length(), otherwise);
  const json& values = array_in(logprobs, "token_logprobs", request.length(), otherwise);
  json tokens = json::array();
  for (std::size_t i = request.prompt.size(); i < request.length(); ++i) {
    if (!names[i].is_string()) refuse("expected texts of tokens, found " + excerpt_of(names[i]));
    json token = named_token(names[i], log_probability(values[i]));
    token["top_logprobs"] = json::array();
    const json top = logprobs.value("top_logprobs", json());
    if (top.is_array() && i < top.size() && top[i].is_object())
      for (const auto& [name, value] : top[i].items())
        token["top_logprobs"].push_back(named_token(name, log_probability(value)));
    sort_top(token["top_logprobs"]);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

std::string name_of(ScoreForm form) {
  return form == ScoreForm::echo ? "\"echo\" and \"logprobs\"" : "\"prompt_logprobs\"";
}

ScoreRequest score_request(const json& request) {
  ScoreRequest result{ids_of(request, "prompt_tokens"), ids_of(request, "continuation_tokens"), 0};
  const json top = request.value("top_logprobs", json(0));
  if (!top.is_number_integer() || top < 0)
    throw std::invalid_argument("expected \"top_logprobs\": a number from 0, found " + excerpt_of(top));
  result.top_logprobs = top.get<std::int64_t>();
  return result;
}

json to_score_body(const ScoreRequest& request, const std::string& model, ScoreForm form) {
  std::vector<std::int64_t> prompt = request.prompt;
  prompt.insert(prompt.end(), request.continuation.begin(), request.continuation.end());
  json body = {{"prompt", std::move(prompt)}, {"max_tokens", 1}, {"temperature", 0}};
  if (!model.empty()) body["model"] = model;
  const std::int64_t top = std::max<std::int64_t>(request.top_logprobs, 1);
  if (form == ScoreForm::prompt_logprobs) {
    body["prompt_logprobs"] = top;
  } else {
    body["echo"] = true;
    body["logprobs"] = top;
  }
  return body;
}

json read_score(const std::string& body, const ScoreRequest& request, ScoreForm form) {
  const json answer = json::parse(body, nullptr, false);
  const json choices = answer.is_object() ? answer.value("choices", json()) : json();
  if (!choices.is_array() || choices.empty() || !choices[0].is_object())
    return {{"error", "the server's answer has no \"choices\": " +
                          (answer.is_discarded() ? body.substr(0, 200) : excerpt_of(answer))}};
  json item = {{"logprobs", json::array()}};
  try {
    item["tokens"] = form == ScoreForm::echo ? tokens_by_name(answer, request) : tokens_by_id(answer, request);
  } catch (const std::invalid_argument& error) {
    return {{"error", error.what()}};
  }
  double sum = 0;
  for (const json& token : item["tokens"]) {
    item["logprobs"].push_back(token["logprob"]);
    sum += token["logprob"].get<double>();
  }
  item["sum"] = sum;
  const json usage = answer.value("usage", json());
  for (const char* key : {"prompt_tokens", "completion_tokens"})
    if (usage.is_object() && usage.value(key, json()).is_number()) item["usage"][key] = usage[key];
  return item;
}

}  // namespace retort::openai
