// See chat.h.
#include "chat.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "json_calls.h"

namespace retort::openai {
namespace {

using nlohmann::json;

constexpr std::size_t longest_excerpt = 300;

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > longest_excerpt) text = text.substr(0, longest_excerpt) + "…";
  return text;
}

const json* member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const json& messages_of(const json& request) {
  if (!request.is_object()) throw std::invalid_argument("expected a chat request, found " + shown(request));
  const json* messages = member(request, "messages");
  const auto is_message = [](const json& one) { return one.is_object() && one.value("role", json()).is_string(); };
  if (messages == nullptr || !messages->is_array() || messages->empty() ||
      !std::all_of(messages->begin(), messages->end(), is_message))
    throw std::invalid_argument("expected \"messages\": an array of messages with a \"role\", found " +
                                (messages == nullptr ? "none" : shown(*messages)));
  return *messages;
}

bool begins_with_instructions(const json& messages) {
  const std::string& role = messages[0]["role"].get_ref<const std::string&>();
  return role == "system" || role == "developer";
}

/// Sets body[key] from the request, or from `otherwise` unless that is null.
void set(json& body, const json& request, const char* key, json otherwise) {
  if (const json* own = member(request, key))
    body[key] = *own;
  else if (!otherwise.is_null())
    body[key] = std::move(otherwise);
}

/// From [0, 1), the same for the same text: FNV-1a, its bits spread as in splitmix64's finaliser.
double drawn_share(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  hash = (hash ^ (hash >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  hash = (hash ^ (hash >> 27U)) * 0x94D049BB133111EBULL;
  return static_cast<double>((hash ^ (hash >> 31U)) >> 11U) * 0x1.0p-53;
}

json drawn(const json& body, const ChatDefaults& defaults, std::int64_t sample, const char* name, double from,
           double to) {
  if (to < 0) return from;
  const double share = drawn_share(body.dump(-1, ' ', false, json::error_handler_t::replace) + '|' + name + '|' +
                                   std::to_string(defaults.seed) + '|' + std::to_string(sample));
  return from + share * (to - from);
}

void set_logprobs(json& body, const json& request, std::int64_t top_logprobs) {
  const json* own = member(request, "top_logprobs");
  const std::int64_t top = own != nullptr && own->is_number_integer() ? own->get<std::int64_t>() : top_logprobs;
  if (top <= 0) return;
  body["logprobs"] = true;
  body["top_logprobs"] = top;
}

/// Some servers give arguments as an object and not as its text.
json tool_calls_of(const json& message) {
  json calls = message["tool_calls"];
  for (json& call : calls) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
    json& function = call["function"];
    if (function.contains("arguments") && !function["arguments"].is_string())
      function["arguments"] = function["arguments"].dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return calls;
}

json message_of(const json& message) {
  json result = {{"role", "assistant"}, {"content", message.value("content", json())}};
  const json* calls = member(message, "tool_calls");
  if (calls != nullptr && calls->is_array() && !calls->empty()) result["tool_calls"] = tool_calls_of(message);
  const json* refusal = member(message, "refusal");
  if (refusal != nullptr && refusal->is_string()) result["refusal"] = *refusal;
  if (result["content"].is_null() && !result.contains("tool_calls") && !result.contains("refusal"))
    result["content"] = "";
  return result;
}

/// Servers have more reasons ("eos", "function_call", null) than the interface.
std::string finish_reason_of(const json& choice, const json& message) {
  static constexpr std::array known = {"stop", "tool_calls", "length", "content_filter"};
  const json reason = choice.value("finish_reason", json());
  for (const char* one : known)
    if (reason == one) return one;
  return message.contains("tool_calls") ? "tool_calls" : "stop";
}

json choice_of(const json& choice) {
  json result = {{"message", message_of(choice["message"])}};
  result["finish_reason"] = finish_reason_of(choice, result["message"]);
  const json* logprobs = member(choice, "logprobs");
  if (logprobs != nullptr && logprobs->is_object() && member(*logprobs, "content") != nullptr)
    result["logprobs"] = (*logprobs)["content"];
  return result;
}

json error_item(const std::string& reason) {
  return {{"error", reason}};
}

}  // namespace

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::int64_t sample_of(const json& request) {
  const json* sample = request.is_object() ? member(request, "sample") : nullptr;
  if (sample == nullptr) return 0;
  if (!sample->is_number_integer() || sample->get<std::int64_t>() < 0)
    throw std::invalid_argument("expected \"sample\": a number from 0, found " + shown(*sample));
  return sample->get<std::int64_t>();
}

json to_body(const json& request, const json& tools, const ChatDefaults& defaults) {
  const json& messages = messages_of(request);
  json body = {{"messages", messages}};
  if (!defaults.system_prompt.empty() && !begins_with_instructions(messages))
    body["messages"].insert(body["messages"].begin(), json{{"role", "system"}, {"content", defaults.system_prompt}});
  if (!defaults.model.empty()) body["model"] = defaults.model;
  set(body, request, "tools", tools.empty() ? json() : tools);
  if (body.contains("tools") && body["tools"].empty()) body.erase("tools");
  set(body, request, "tool_choice", nullptr);
  set(body, request, "response_format", nullptr);
  set(body, request, "n", defaults.n == 1 ? json() : json(defaults.n));
  const std::int64_t sample = sample_of(request);
  const json temperature = drawn(body, defaults, sample, "temperature", defaults.temperature, defaults.temperature_to);
  const json top_p = drawn(body, defaults, sample, "top_p", defaults.top_p, defaults.top_p_to);
  set(body, request, "temperature", temperature);
  set(body, request, "top_p", top_p == 1.0 ? json() : top_p);
  set(body, request, "seed", defaults.seed < 0 ? json() : json(defaults.seed + sample));
  const json* limit = member(request, "max_tokens");
  if (limit != nullptr || defaults.max_tokens > 0)
    body[defaults.token_limit_name] = limit != nullptr ? *limit : json(defaults.max_tokens);
  set_logprobs(body, request, defaults.top_logprobs);
  if (defaults.json_calls) ask_for_json_calls(body);
  return body;
}

json read_answer(const std::string& body, bool json_calls) {
  const json answer = json::parse(body, nullptr, false);
  if (answer.is_discarded()) return error_item("the server's answer is not JSON: " + shown(body));
  const json* choices = answer.is_object() ? member(answer, "choices") : nullptr;
  if (choices == nullptr || !choices->is_array() || choices->empty())
    return error_item("the server's answer has no \"choices\": " + shown(answer));
  json item = {{"choices", json::array()}};
  for (const json& choice : *choices) {
    if (!choice.is_object() || !choice.contains("message") || !choice["message"].is_object())
      return error_item("the server's answer has a choice without a message: " + shown(choice));
    item["choices"].push_back(choice_of(choice));
    if (json_calls) read_json_calls(item["choices"].back());
  }
  if (const json* usage = member(answer, "usage"); usage != nullptr && usage->is_object())
    for (const char* key : {"prompt_tokens", "completion_tokens"})
      if (const json* count = member(*usage, key); count != nullptr && count->is_number()) item["usage"][key] = *count;
  return item;
}

std::string failure_of(const std::string& body) {
  const json answer = json::parse(body, nullptr, false);
  if (answer.is_object()) {
    const json error = answer.value("error", json());
    if (error.is_string()) return error.get<std::string>().substr(0, longest_excerpt);
    if (error.is_object() && error.value("message", json()).is_string())
      return error["message"].get<std::string>().substr(0, longest_excerpt);
  }
  return shown(body);
}

}  // namespace retort::openai
