// See teacher_call.h.
#include "host/algorithm/teacher_call.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

std::string shown_item(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whether `item` says why there is no result.
bool is_error(const std::string& who, const Json& item) {
  if (!item.is_object()) refuse_result(who, "an object", shown_item(item));
  const auto error = item.find("error");
  if (error == item.end()) return false;
  if (!error->is_string()) refuse_result(who, "a text \"error\"", shown_item(item));
  return true;
}

void check_choice(const std::string& who, const Json& choice) {
  static constexpr std::array reasons = {"stop", "tool_calls", "length", "content_filter"};
  if (!choice.is_object() || !choice.contains("message") || !choice["message"].is_object() ||
      choice["message"].value("role", Json()) != "assistant")
    refuse_result(who, "choices with a \"message\" of the assistant", shown_item(choice));
  const Json reason = choice.value("finish_reason", Json());
  if (std::none_of(reasons.begin(), reasons.end(), [&](const char* one) { return reason == one; }))
    refuse_result(who, "the finish reason \"stop\", \"tool_calls\", \"length\" or \"content_filter\"",
                  shown_item(reason));
}

void check_answer(const std::string& who, const Json& item) {
  if (is_error(who, item)) return;
  const auto choices = item.find("choices");
  if (choices == item.end() || !choices->is_array() || choices->empty())
    refuse_result(who, "\"choices\" or \"error\"", shown_item(item));
  for (const Json& choice : *choices) check_choice(who, choice);
}

void check_log_probabilities(const std::string& who, const Json& item) {
  if (is_error(who, item)) return;
  const auto logprobs = item.find("logprobs");
  const bool fits = logprobs != item.end() && logprobs->is_array() &&
                    std::all_of(logprobs->begin(), logprobs->end(),
                                [](const Json& one) { return one.is_number() && one.get<double>() <= 0; });
  if (!fits || !item.value("sum", Json()).is_number())
    refuse_result(who, "\"logprobs\" of numbers not above 0 and their \"sum\", or \"error\"", shown_item(item));
}

}  // namespace

TeacherCall::TeacherCall(std::string id, retort_instance* instance, const retort_teacher_v1& functions)
    : id_(std::move(id)), instance_(instance), functions_(functions) {}

void TeacherCall::call(Function function, const std::string& who, std::string_view tools, std::string_view requests,
                       std::size_t count, const Take& take) const {
  const JsonItems items(who, count, take);
  const retort_teacher_batch batch{sizeof(retort_teacher_batch), 0, to_abi(tools), to_abi(requests)};
  items.finish(function(instance_, &batch, items.sink()));
  items.require_all();
}

void TeacherCall::complete(std::string_view tools, std::string_view requests, std::size_t count,
                           const Take& take) const {
  const std::string who = id_ + ": complete()";
  call(functions_.complete, who, tools, requests, count, [&](std::size_t index, Json item) {
    check_answer(who + ": item " + std::to_string(index), item);
    take(index, std::move(item));
  });
}

void TeacherCall::score(std::string_view tools, std::string_view requests, std::size_t count, const Take& take) const {
  const std::string who = id_ + ": score()";
  if (!can_score()) throw std::invalid_argument(who + ": this teacher does not score continuations");
  call(functions_.score, who, tools, requests, count, [&](std::size_t index, Json item) {
    check_log_probabilities(who + ": item " + std::to_string(index), item);
    take(index, std::move(item));
  });
}

}  // namespace retort::host
