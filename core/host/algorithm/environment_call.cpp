// See environment_call.h.
#include "host/algorithm/environment_call.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/algorithm/component_failure.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

std::string shown_result(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_result(const Json& result) {
  return result.is_object() && result.value("ok", Json()).is_boolean() && result.value("content", Json()).is_string();
}

/// Throws unless `outcome` is what retort/abi/environment.h says of `calls` calls.
void check_outcome(const std::string& who, const Json& outcome, std::size_t calls) {
  if (!outcome.is_object() || !outcome.value("ok", Json()).is_boolean())
    refuse_result(who, "an object with a boolean \"ok\"", shown_result(outcome));
  const Json error = outcome.value("error", Json());
  if (outcome["ok"] == true ? !error.is_null() : !error.is_string())
    refuse_result(who, "\"error\": null where \"ok\" is true, else a text", shown_result(outcome));
  if (!outcome.value("state", Json()).is_string()) refuse_result(who, "a text \"state\"", shown_result(outcome));
  const auto results = outcome.find("results");
  if (results == outcome.end() || !results->is_array() || results->size() != calls ||
      !std::all_of(results->begin(), results->end(), is_result))
    refuse_result(who, std::to_string(calls) + " \"results\" with a boolean \"ok\" and a text \"content\"",
                  shown_result(outcome));
  const bool all =
      std::all_of(results->begin(), results->end(), [](const Json& result) { return result["ok"].get<bool>(); });
  if (calls > 0 && all != outcome["ok"].get<bool>())
    refuse_result(who, "\"ok\" to say whether all results are", shown_result(outcome));
}

}  // namespace

EnvironmentCall::EnvironmentCall(std::string id, retort_instance* instance, const retort_environment_v1& functions)
    : id_(std::move(id)), instance_(instance), functions_(&functions) {}

Json EnvironmentCall::tools() const {
  const std::string who = id_ + ": tools()";
  std::string text;
  const retort_text_sink sink = sink_into(text);
  throw_component_failure(functions_->tools(instance_, &sink), who);
  Json tools = parse_result(who, text);
  if (!tools.is_array()) refuse_result(who, "an OpenAI tools array", shown_result(tools));
  return tools;
}

std::size_t EnvironmentCall::generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                                      const Take& take) const {
  const std::string who = id_ + ": generate()";
  if (!can_generate()) throw std::invalid_argument(who + ": this environment makes no rows");
  const JsonItems items(who, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)),
                        [&](std::size_t index, Json row) {
                          if (!row.is_object() || !row.value("messages", Json()).is_array())
                            refuse_result(who + ": item " + std::to_string(index),
                                          "a chat row: an object with \"messages\"", shown_result(row));
                          take(index, std::move(row));
                        });
  items.finish(functions_->generate(instance_, to_abi(split), count, seed, items.sink()));
  return items.require_prefix();
}

Json EnvironmentCall::execute_once(const Json& calls, std::string_view start) const {
  return EnvironmentSession(*this, start).execute(calls);
}

EnvironmentSession::EnvironmentSession(const EnvironmentCall& environment, std::string_view start)
    : environment_(environment) {
  const std::string who = environment_.id_ + ": start()";
  throw_component_failure(environment_.functions_->start(environment_.instance_, to_abi(start), &session_), who);
  if (session_ == nullptr) refuse_result(who, "a session", "none");
}

EnvironmentSession::~EnvironmentSession() {
  environment_.functions_->end(environment_.instance_, session_);
}

std::string EnvironmentSession::execute_text(std::string_view calls) const {
  std::string text;
  const retort_text_sink sink = sink_into(text);
  throw_component_failure(environment_.functions_->execute(environment_.instance_, session_, to_abi(calls), &sink),
                          environment_.id_ + ": execute()");
  return text;
}

Json EnvironmentSession::execute(const Json& calls) const {
  const std::string who = environment_.id_ + ": execute()";
  Json outcome = parse_result(who, execute_text(shown_result(calls)));
  check_outcome(who, outcome, calls.is_array() ? calls.size() : 0);
  return outcome;
}

bool EnvironmentSession::can_save() const {
  return environment_.functions_->state != nullptr;
}

std::string EnvironmentSession::state() const {
  const std::string who = environment_.id_ + ": state()";
  if (!can_save()) throw std::invalid_argument(who + ": this world cannot be saved");
  std::string text;
  const retort_text_sink sink = sink_into(text);
  throw_component_failure(environment_.functions_->state(environment_.instance_, session_, &sink), who);
  return text;
}

}  // namespace retort::host
