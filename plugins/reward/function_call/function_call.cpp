// The order of the reward's rules; similarity.cpp has the formula.
#include "function_call.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace retort::call_reward {
namespace {

using nlohmann::json;

json parse_array(std::string_view text, const char* what) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_array()) {
    throw std::invalid_argument(std::string("reward.function_call: ") + what + ": expected a JSON array, found " +
                                (parsed.is_discarded() ? "text that is not JSON" : parsed.type_name()));
  }
  return parsed;
}

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool is_call_list(const json* calls) {
  if (calls == nullptr || !calls->is_array()) return false;
  return std::all_of(calls->begin(), calls->end(), [](const json& call) {
    return call.is_object() && call.contains("name") && call["name"].is_string() && call.contains("arguments");
  });
}

std::string text_or(const json* value, const std::string& otherwise) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : otherwise;
}

/// Why the response is malformed, or nothing.
std::optional<std::string> malformed_reason(const json* response, const CallSchema& schema) {
  if (response == nullptr) return "the item has no response";
  if (const json* malformed = member(*response, "malformed")) return text_or(malformed, "malformed");
  const json* calls = member(*response, "calls");
  if (!is_call_list(calls)) return "expected {\"calls\": [{\"name\", \"arguments\"}]}";
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const json& call = (*calls)[i];
    if (auto reason = schema.invalid_reason(call["name"].get<std::string>(), call["arguments"])) {
      return "call " + std::to_string(i + 1) + ": " + *reason;
    }
  }
  return std::nullopt;
}

bool executed_ok(const json& execution) {
  const json* ok = member(execution, "ok");
  return ok != nullptr && ok->is_boolean() && ok->get<bool>();
}

/// The members of a call that count; other keys (ids, types) do not make two calls differ.
json bare(const json& calls) {
  json result = json::array();
  for (const json& call : calls) result.push_back({{"name", call["name"]}, {"arguments", call["arguments"]}});
  return result;
}

}  // namespace

Verdict FunctionCallReward::against_reference(const json& item, const json& calls) const {
  const json* reference = member(*member(item, "reference"), "calls");
  if (!is_call_list(reference)) return {0.0, "reference: expected {\"calls\": [{\"name\", \"arguments\"}]}"};
  const bool equal = bare(calls) == bare(*reference);
  Verdict verdict;
  verdict.score = equal ? 1.0 : std::min(calls_similarity(calls, *reference, scoring_.weights), scoring_.unequal_cap);
  if (!equal) verdict.reason = "expected " + bare(*reference).dump() + ", found " + bare(calls).dump();
  const json* execution = member(item, "execution");
  const json* expected = member(item, "reference_execution");
  const json* state = execution == nullptr ? nullptr : member(*execution, "state");
  const json* expected_state = expected == nullptr ? nullptr : member(*expected, "state");
  if (state != nullptr && expected_state != nullptr && *state != *expected_state &&
      verdict.score > scoring_.different_state_cap) {
    verdict.score = scoring_.different_state_cap;
    verdict.reason = "the calls leave another state than the reference's; " + verdict.reason;
  }
  return verdict;
}

Verdict FunctionCallReward::judge(const json& item, const CallSchema& schema) const {
  const json* response = member(item, "response");
  if (const auto malformed = malformed_reason(response, schema)) return {0.0, *malformed, true};
  const json* execution = member(item, "execution");
  if (execution != nullptr && !executed_ok(*execution)) {
    return {0.0, text_or(member(*execution, "error"), "the execution failed without a reason")};
  }
  if (member(item, "reference") != nullptr) return against_reference(item, response->at("calls"));
  return {1.0, ""};
}

json FunctionCallReward::score_item(const json& item) const {
  if (!item.is_object()) return {{"error", std::string("expected an object, found ") + item.type_name()}};
  Verdict verdict;
  if (const json* own = member(item, "tools")) {
    try {
      verdict = judge(item, CallSchema(*own));
    } catch (const std::invalid_argument& error) {
      return {{"error", error.what()}};
    }
  } else {
    verdict = judge(item, *schema_);
  }
  json result = {{"scores", {{"score", verdict.score}}}, {"reason", verdict.reason}};
  if (verdict.malformed) result["malformed"] = true;
  return result;
}

void FunctionCallReward::score(std::string_view tools, std::string_view items,
                               const std::function<void(std::size_t, const std::string&)>& take) {
  if (schema_ == nullptr || tools != tools_text_) {
    schema_ = std::make_unique<CallSchema>(tools.empty() ? json::array() : parse_array(tools, "tools"));
    tools_text_ = tools;
  }
  const json parsed = parse_array(items, "items");
  for (std::size_t i = 0; i < parsed.size(); ++i)
    take(i, score_item(parsed[i]).dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace retort::call_reward
