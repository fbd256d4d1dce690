// See reward_call.h.
#include "host/algorithm/reward_call.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/algorithm/component_failure.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

std::string shown_score(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<double> bound(const std::string& who, const Json& score, const char* key) {
  const Json value = score.value(key, Json());
  if (value.is_null()) return std::nullopt;
  if (!value.is_number()) refuse_result(who, "a number or null as \"" + std::string(key) + "\"", shown_score(score));
  return value.get<double>();
}

std::string bounds_of(const ScoreName& name) {
  const auto text = [](const std::optional<double>& value, const char* none) {
    return value ? Json(*value).dump() : std::string(none);
  };
  return "[" + text(name.minimum, "-∞") + ", " + text(name.maximum, "∞") + "]";
}

}  // namespace

RewardCall::RewardCall(std::string id, retort_instance* instance, const retort_reward_v1& functions)
    : id_(std::move(id)), instance_(instance), functions_(functions) {
  const std::string who = id_ + ": scores()";
  std::string text;
  const retort_text_sink sink = sink_into(text);
  throw_component_failure(functions_.scores(instance_, &sink), who);
  read_names(parse_result(who, text));
}

void RewardCall::read_names(const Json& names) {
  const std::string who = id_ + ": scores()";
  if (!names.is_array() || names.empty()) refuse_result(who, "an array with a member", shown_score(names));
  for (const Json& one : names) {
    if (!one.is_object() || !one.value("name", Json()).is_string() || one["name"] == "")
      refuse_result(who, "objects with a text \"name\"", shown_score(one));
    ScoreName name{one["name"], bound(who, one, "minimum"), bound(who, one, "maximum"), one.value("summary", "")};
    const bool known =
        std::any_of(names_.begin(), names_.end(), [&](const ScoreName& other) { return other.name == name.name; });
    if (known) refuse_result(who, "each name once", "\"" + name.name + "\" twice");
    if (name.minimum && name.maximum && *name.minimum > *name.maximum)
      refuse_result(who, "a minimum that is not above the maximum", shown_score(one));
    names_.push_back(std::move(name));
  }
}

RewardItem RewardCall::read_item(const std::string& who, const Json& item) const {
  if (!item.is_object()) refuse_result(who, "an object", shown_score(item));
  RewardItem result;
  if (const auto error = item.find("error"); error != item.end()) {
    if (!error->is_string() || *error == "") refuse_result(who, "a text \"error\"", shown_score(item));
    result.error = *error;
    return result;
  }
  const auto scores = item.find("scores");
  if (scores == item.end() || !scores->is_object()) refuse_result(who, "\"scores\" or \"error\"", shown_score(item));
  if (scores->size() > names_.size()) refuse_result(who, "the declared scores and no others", shown_score(*scores));
  for (const ScoreName& name : names_) {
    const auto found = scores->find(name.name);
    const double value = found != scores->end() && found->is_number() ? found->get<double>() : std::nan("");
    const bool inside =
        std::isfinite(value) && (!name.minimum || value >= *name.minimum) && (!name.maximum || value <= *name.maximum);
    if (!inside) refuse_result(who, "\"" + name.name + "\" in " + bounds_of(name), shown_score(*scores));
    result.scores.push_back(value);
  }
  const Json malformed = item.value("malformed", Json(false)), reason = item.value("reason", Json(""));
  if (!malformed.is_boolean() || !reason.is_string())
    refuse_result(who, "a boolean \"malformed\" and a text \"reason\"", shown_score(item));
  result.malformed = malformed.get<bool>();
  result.reason = reason.get<std::string>();
  return result;
}

void RewardCall::score(std::string_view tools, std::string_view items, std::size_t count, const Take& take) const {
  const std::string who = id_ + ": score()";
  const JsonItems sink(who, count, [&](std::size_t index, const Json& item) {
    take(index, read_item(who + ": item " + std::to_string(index), item));
  });
  const retort_reward_batch batch{sizeof(retort_reward_batch), 0, to_abi(tools), to_abi(items)};
  sink.finish(functions_.score(instance_, &batch, sink.sink()));
  sink.require_all();
}

}  // namespace retort::host
