// Rules for lights, climate, blinds, fans, doors, appliances, oven and scenes.
#include "clause_rules.h"

namespace retort::rules {
namespace {

using nlohmann::json;
using Match = std::optional<json>;

constexpr std::string_view kWish = " i want need would like ";

/// "i do not need … anymore" asks to switch off.
bool cut_no_longer_needed(Phrase& phrase) {
  return phrase.has("anymore") && phrase.cut("do not need") && phrase.cut("anymore");
}

Match light(Phrase phrase) {
  const auto room = phrase.cut_room();
  if (!room) return std::nullopt;
  if (phrase.cut("too dark")) {
    if (!phrase.only("it is in the")) return std::nullopt;
    return make_call("light_switch", {{"room", *room}, {"state", "on"}});
  }
  const bool named = phrase.has("light") || phrase.has("lights") || phrase.has("brightness");
  if (!named) return std::nullopt;
  const std::string common = "the in light lights" + std::string(kWish);
  if (const auto color = phrase.cut_color()) {
    if (!phrase.only(common + "make turn set change to color of give use")) return std::nullopt;
    return make_call("light_color", {{"room", *room}, {"color", *color}});
  }
  if (const auto percent = phrase.cut_number()) {
    if (!phrase.only(common + "dim set change bring turn up down make to at of brightness bright")) return std::nullopt;
    return make_call("light_dim", {{"room", *room}, {"brightness", *percent}});
  }
  bool off = cut_no_longer_needed(phrase) || phrase.cut("off");
  if (!off && !phrase.cut("on") && !phrase.cut("some light")) return std::nullopt;
  if (!phrase.only(common + "turn switch put shut")) return std::nullopt;
  return make_call("light_switch", {{"room", *room}, {"state", off ? "off" : "on"}});
}

Match thermostat(Phrase phrase) {
  const auto room = phrase.cut_room();
  const auto temperature = phrase.cut_number();
  if (!temperature || phrase.has("channel")) return std::nullopt;
  const bool named = phrase.cut_any({"temperature", "thermostat", "heating", "heat", "cool"});
  const bool kept =
      room && (phrase.cut("keep") || phrase.cut("make it") || phrase.has("it at") || phrase.begins_with("i want"));
  if (!named && !kept) return std::nullopt;
  if (!phrase.only("set turn change the in to at up down it temperature keep" + std::string(kWish)))
    return std::nullopt;
  json arguments = {{"temperature", *temperature}};
  if (room) arguments["room"] = *room;
  return make_call("thermostat_set", arguments);
}

Match blinds(Phrase phrase) {
  const auto room = phrase.cut_room();
  if (!room || !phrase.cut("blinds")) return std::nullopt;
  std::optional<int> position = phrase.cut_number();
  if (!position && phrase.cut("halfway")) position = 50;
  const bool opened = phrase.cut_any({"open", "up", "raise"});
  const bool closed = phrase.cut_any({"close", "closed", "down", "lower"});
  if (!position && opened != closed) position = opened ? 100 : 0;
  if (!position || !phrase.only("the in to at set move put pull" + std::string(kWish))) return std::nullopt;
  return make_call("blinds_set", {{"room", *room}, {"position", *position}});
}

Match fan(Phrase phrase) {
  const auto room = phrase.cut_room();
  if (!room || !phrase.cut("fan")) return std::nullopt;
  std::string speed;
  for (const char* candidate : {"low", "medium", "high"}) {
    if (phrase.cut(candidate)) speed = candidate;
  }
  if (speed.empty() && phrase.cut_any({"off", "stop"})) speed = "off";
  if (speed.empty() || !phrase.only("set turn switch run put change speed the in on at to" + std::string(kWish))) {
    return std::nullopt;
  }
  return make_call("fan_set", {{"room", *room}, {"speed", speed}});
}

Match door(Phrase phrase) {
  std::string name;
  for (const char* candidate : {"front", "back", "garage", "patio", "side"}) {
    if (phrase.cut(std::string(candidate) + " door")) name = candidate;
  }
  if (name.empty()) return std::nullopt;
  const bool unlock = phrase.cut_any({"unlock", "unlocked"}) || phrase.cut("take the lock off");
  const bool lock = !unlock && phrase.cut_any({"lock", "locked"});
  if (lock == unlock) return std::nullopt;
  if (!phrase.only("the make sure to is be should keep leave up put on i want")) return std::nullopt;
  return make_call("door_lock", {{"door", name}, {"locked", lock}});
}

Match appliance(Phrase phrase) {
  const auto name = phrase.cut_appliance();
  if (!name) return std::nullopt;
  const bool off = cut_no_longer_needed(phrase) || phrase.cut_any({"off", "stop"});
  const bool on = !off && phrase.cut_any({"on", "start", "run"});
  if (on == off || !phrase.only("turn switch shut put make sure is the i want need")) return std::nullopt;
  return make_call("appliance_switch", {{"appliance", *name}, {"on", on}});
}

Match oven(Phrase phrase) {
  if (!phrase.cut("oven")) return std::nullopt;
  const auto minutes = phrase.cut_duration();
  const auto temperature = phrase.cut_number();
  if (!temperature) return std::nullopt;
  json arguments = {{"temperature", *temperature}};
  if (minutes) arguments["minutes"] = *minutes;
  if (phrase.cut("without convection")) arguments["convection"] = false;
  if (phrase.cut("with convection")) arguments["convection"] = true;
  if (!phrase.only("heat preheat set turn run on the to at" + std::string(kWish))) return std::nullopt;
  return make_call("oven_heat", arguments);
}

Match scene(Phrase phrase) {
  const auto name = phrase.cut_scene();
  if (!name) return std::nullopt;
  const bool named = phrase.cut_any({"scene", "mode"}) || phrase.cut("ready for");
  if (!named || !phrase.only("activate start turn switch set change use get on the to for it is time house i want")) {
    return std::nullopt;
  }
  return make_call("scene_activate", {{"scene", *name}});
}

}  // namespace

const std::vector<ClauseRule>& device_rules() {
  static const std::vector<ClauseRule> rules = {oven, light, blinds, fan, door, scene, thermostat, appliance};
  return rules;
}

}  // namespace retort::rules
