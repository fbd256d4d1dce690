// See remote_session.h.
#include "remote_session.h"

#include <stdexcept>
#include <utility>

namespace retort::environments {

Json CallByCallSession::execute(const Json& calls) {
  Json results = Json::array(), error = nullptr;
  for (const Json& call : calls) {
    Json result = error.is_null() ? carry_out(call) : refused("not run, because a call before it failed");
    if (call.is_object() && call.contains("id")) result["id"] = call["id"];
    if (error.is_null() && result["ok"] == false) error = result["content"];
    results.push_back(std::move(result));
  }
  return {{"ok", error.is_null()},
          {"error", error},
          {"results", results},
          {"state", OutcomeCache::key_of("", state_text())}};
}

Json CallByCallSession::carry_out(const Json& call) {
  if (!call.is_object() || !call.value("name", Json()).is_string())
    return refused("expected a call with a \"name\", found " + shown(written(call)));
  return run(call["name"], call.value("arguments", Json::object()));
}

void Failures::count(const std::string& why) {
  const std::int64_t found = ++in_a_row_;
  if (found > most_)
    throw std::runtime_error(why + " (failure " + std::to_string(found) + " in a row; \"most_failures\" allows " +
                             std::to_string(most_) + ")");
}

GuardedSession::GuardedSession(SessionSurroundings& surroundings, std::string_view start_text, Start start)
    : surroundings_(surroundings), start_(std::move(start)) {
  const Json begin = parsed(start_text, "start");
  if (!begin.is_object()) throw std::invalid_argument("start: expected a JSON object, found " + shown(start_text));
  if (surroundings_.cache.enabled()) {
    key_ = OutcomeCache::key_of(surroundings_.identity, written(begin));
    return;
  }
  try {
    session_ = start_();
  } catch (const std::runtime_error& error) {
    lose(error.what());
  }
}

void GuardedSession::lose(const std::string& why) {
  session_.reset();
  lost_ = why;
  surroundings_.failures.count(why);
}

RemoteSession& GuardedSession::live() {
  if (!session_) session_ = start_();
  while (!unapplied_.empty()) {
    session_->execute(unapplied_.front());
    unapplied_.erase(unapplied_.begin());
  }
  return *session_;
}

Json GuardedSession::failed(const Json& calls, const std::string& why) const {
  Json results = Json::array();
  for (const Json& call : calls) {
    results.push_back({{"ok", false}, {"content", why}});
    if (call.is_object() && call.contains("id")) results.back()["id"] = call["id"];
  }
  return {{"ok", false}, {"error", why}, {"results", results}, {"state", last_state_}};
}

std::string GuardedSession::execute(std::string_view text) {
  const Json calls = parsed(text, "execute");
  if (!calls.is_array()) throw std::invalid_argument("execute: expected an array of calls, found " + shown(text));
  if (!lost_.empty()) return written(failed(calls, "the session was lost: " + lost_));
  if (surroundings_.cache.enabled()) {
    key_ = OutcomeCache::key_of(key_, written(calls));
    if (auto known = surroundings_.cache.find(key_)) {
      unapplied_.push_back(calls);
      return std::move(*known);
    }
  }
  Json outcome;
  try {
    outcome = live().execute(calls);
  } catch (const std::runtime_error& error) {
    lose(error.what());
    return written(failed(calls, lost_));
  }
  surroundings_.failures.none();
  if (outcome.is_object() && outcome.value("state", Json()).is_string()) last_state_ = outcome["state"];
  std::string result = written(outcome);
  surroundings_.cache.add(key_, result);
  return result;
}

std::string GuardedSession::state() {
  if (!lost_.empty()) throw std::runtime_error("the session was lost: " + lost_);
  return written(live().state());
}

}  // namespace retort::environments
