// See local.h.
#include "local.h"

#include <stdexcept>
#include <utility>

namespace retort::local {
namespace {

using nlohmann::json;

std::string shown_value(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 300);
}

const json& messages_in(const json& request) {
  if (!request.is_object() || !request.contains("messages") || !request["messages"].is_array() ||
      request["messages"].empty())
    throw std::invalid_argument("expected \"messages\": an array of messages, found " + shown_value(request));
  return request["messages"];
}

json with_tools(const json& request, const json& tools) {
  json result = {{"messages", messages_in(request)}};
  const json own = request.value("tools", tools);
  if (own.is_array() && !own.empty() && request.value("tool_choice", json()) != "none") result["tools"] = own;
  return result;
}

}  // namespace

json to_model_request(const json& request, const json& tools, const Sampling& sampling) {
  json result = with_tools(request, tools);
  const json choice = request.value("tool_choice", json());
  if (!choice.is_null() && choice != "auto" && choice != "none")
    throw std::invalid_argument("\"tool_choice\": expected \"auto\" or \"none\", found " + shown_value(choice));
  if (request.contains("response_format") && !request["response_format"].is_null())
    throw std::invalid_argument("\"response_format\": this teacher has none; grammar restricts answers to calls");
  const auto take = [&](const char* name, const json& otherwise) {
    const json own = request.value(name, json());
    return own.is_null() ? otherwise : own;
  };
  result["n"] = take("n", sampling.n);
  result["temperature"] = take("temperature", sampling.temperature);
  result["top_p"] = take("top_p", sampling.top_p);
  result["max_tokens"] = take("max_tokens", sampling.max_tokens);
  const json sample = take("sample", 0), seed = take("seed", sampling.seed);
  if (!sample.is_number_integer() || !seed.is_number_integer())
    throw std::invalid_argument("expected \"sample\" and \"seed\" as whole numbers");
  result["seed"] = seed.get<std::int64_t>() + sample.get<std::int64_t>();
  if (sampling.top_k > 0) result["top_k"] = sampling.top_k;
  if (const json top = take("top_logprobs", sampling.top_logprobs); top != 0) result["top_logprobs"] = top;
  if (sampling.grammar && result.contains("tools")) result["grammar"] = "calls";
  return result;
}

json to_score_request(const json& request, const json& tools) {
  json result = with_tools(request, tools);
  if (!request.value("continuation", json()).is_string())
    throw std::invalid_argument("expected \"continuation\": a text, found " + shown_value(request));
  result["continuation"] = request["continuation"];
  return result;
}

json to_item(const json& answer) {
  if (!answer.is_object() || answer.contains("error") || !answer.contains("choices")) return answer;
  json item = {{"choices", json::array()}};
  for (const json& choice : answer["choices"]) {
    json message = choice.value("message", json());
    if (!message.is_object()) message = {{"role", "assistant"}, {"content", choice.value("text", json(""))}};
    json made = {{"finish_reason", choice.value("finish_reason", json("stop"))}};
    if (message.contains("tool_calls") && made["finish_reason"] == "stop") made["finish_reason"] = "tool_calls";
    made["message"] = std::move(message);
    if (choice.contains("logprobs")) made["logprobs"] = choice["logprobs"];
    item["choices"].push_back(std::move(made));
  }
  if (answer.contains("usage")) item["usage"] = answer["usage"];
  return item;
}

}  // namespace retort::local
