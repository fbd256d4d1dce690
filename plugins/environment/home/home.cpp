// What each tool does to the state, and when the home refuses. Argument types are checked against the tool's schema
// first, so the actions here may rely on them.
#include "home.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <map>
#include <stdexcept>

#include "call_schema.h"
#include "random.h"
#include "tools.h"
#include "vocabulary.h"

namespace retort::home {
namespace {

using nlohmann::json;

struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Action = std::function<std::string(json& state, const json& arguments)>;

constexpr int kLowestRoomTemperature = 12;
constexpr int kHighestRoomTemperature = 28;
constexpr int kLowestOvenTemperature = 50;
constexpr int kHighestOvenTemperature = 275;
constexpr std::size_t kShoppingListLimit = 20;
constexpr std::size_t kAlarmLimit = 40;
constexpr std::size_t kLongestName = 60;

std::string text(const json& arguments, const char* name) {
  return arguments.at(name).get<std::string>();
}

void require_device(const std::string& room, const std::string& device, const std::string& spoken) {
  const Words& having = rooms_with(device);
  if (std::find(having.begin(), having.end(), room) == having.end()) {
    throw Refusal("there is no " + spoken + " in the " + room);
  }
}

void require_range(int value, int low, int high, const std::string& what) {
  if (value < low || value > high) {
    throw Refusal(what + ": expected " + std::to_string(low) + " to " + std::to_string(high) + ", found " +
                  std::to_string(value));
  }
}

void require_text(const std::string& value, const std::string& what) {
  if (value.find_first_not_of(' ') == std::string::npos) throw Refusal(what + " is empty");
}

/// Of a person or a city: any is known, but a name is neither empty nor as long as a sentence.
void require_name(const std::string& value, const std::string& what) {
  const bool named =
      std::any_of(value.begin(), value.end(), [](unsigned char c) { return std::isalpha(c) != 0 || c >= 0x80; });
  if (!named) throw Refusal(what + " is empty");
  if (value.size() > kLongestName) {
    throw Refusal(what + ": expected a name of at most " + std::to_string(kLongestName) + " bytes, found " +
                  std::to_string(value.size()));
  }
}

std::string switch_light(json& state, const json& a) {
  const std::string room = text(a, "room");
  state["lights"][room]["state"] = a["state"];
  return "the " + room + " light is " + text(a, "state");
}

std::string dim_light(json& state, const json& a) {
  const std::string room = text(a, "room");
  state["lights"][room]["state"] = "on";
  state["lights"][room]["brightness"] = a["brightness"];
  return "the " + room + " light is at " + a["brightness"].dump() + " percent";
}

std::string color_light(json& state, const json& a) {
  const std::string room = text(a, "room");
  require_device(room, "color", "colour lamp");
  state["lights"][room]["state"] = "on";
  state["lights"][room]["color"] = a["color"];
  return "the " + room + " light is " + text(a, "color");
}

std::string set_thermostat(json& state, const json& a) {
  const int temperature = a["temperature"];
  require_range(temperature, kLowestRoomTemperature, kHighestRoomTemperature, "room temperature");
  const std::string room = a.contains("room") ? text(a, "room") : "home";
  if (room != "home") require_device(room, "thermostat", "thermostat");
  state["thermostats"][room] = temperature;
  return "the " + room + " is set to " + std::to_string(temperature) + " degrees";
}

std::string set_blinds(json& state, const json& a) {
  const std::string room = text(a, "room");
  require_device(room, "blinds", "blind");
  state["blinds"][room] = a["position"];
  return "the " + room + " blinds are " + a["position"].dump() + " percent open";
}

std::string set_fan(json& state, const json& a) {
  const std::string room = text(a, "room");
  require_device(room, "fan", "fan");
  state["fans"][room] = a["speed"];
  return "the " + room + " fan is on " + text(a, "speed");
}

std::string lock_door(json& state, const json& a) {
  state["doors"][text(a, "door")] = a["locked"];
  return "the " + text(a, "door") + " door is " + (a["locked"].get<bool>() ? "locked" : "unlocked");
}

std::string activate_scene(json& state, const json& a) {
  state["scene"] = a["scene"];
  return "scene " + text(a, "scene");
}

std::string switch_appliance(json& state, const json& a) {
  state["appliances"][text(a, "appliance")] = a["on"];
  return "the " + text(a, "appliance") + " is " + (a["on"].get<bool>() ? "on" : "off");
}

std::string heat_oven(json& state, const json& a) {
  const int temperature = a["temperature"];
  require_range(temperature, kLowestOvenTemperature, kHighestOvenTemperature, "oven temperature");
  state["oven"] = a;
  return "the kitchen oven heats to " + std::to_string(temperature) + " degrees";
}

std::string start_vacuum(json& state, const json& a) {
  std::string spoken;
  for (const json& room : a["rooms"]) {
    const std::string name = room;
    require_device(name, "vacuum", "way for the vacuum");
    if (spoken.find("[" + name + "]") != std::string::npos) throw Refusal("the " + name + " is named twice");
    spoken += "[" + name + "]";
  }
  state["vacuum"] = {{"cleaning", true}, {"rooms", a["rooms"]}};
  return "the vacuum cleans " + spoken;
}

std::string dock_vacuum(json& state, const json&) {
  state["vacuum"] = {{"cleaning", false}, {"rooms", json::array()}};
  return "the vacuum goes to its dock";
}

std::string play_music(json& state, const json& a) {
  require_text(text(a, "query"), "the music to play");
  const std::string room = a.contains("room") ? text(a, "room") : "living room";
  require_device(room, "speaker", "speaker");
  state["music"] = {{"query", a["query"]}, {"room", room}, {"playing", true}, {"track", 1}};
  return "playing " + text(a, "query") + " in the " + room;
}

std::string control_music(json& state, const json& a) {
  const std::string action = a["action"];
  json& music = state["music"];
  if (action == "next" || action == "previous") {
    music["track"] = music["track"].get<int>() + (action == "next" ? 1 : -1);
    music["playing"] = true;
  } else {
    music["playing"] = action == "resume";
    if (action == "stop") music["track"] = 1;
  }
  return "music: " + action;
}

std::string set_volume(json& state, const json& a) {
  const std::string device = a.contains("device") ? text(a, "device") : "current";
  state["volume"][device] = a["level"];
  return device + " volume " + a["level"].dump();
}

std::string set_channel(json& state, const json& a) {
  const std::string room = a.contains("room") ? text(a, "room") : "living room";
  require_device(room, "television", "television");
  require_range(a["channel"], 1, 99, "channel");
  state["televisions"][room] = a["channel"];
  return "the " + room + " television shows channel " + a["channel"].dump();
}

std::string start_timer(json& state, const json& a) {
  if (a.contains("label")) require_text(text(a, "label"), "the timer's label");
  state["timers"].push_back(a);
  return "a timer runs for " + a["minutes"].dump() + " minutes";
}

std::string set_alarm(json& state, const json& a) {
  json& alarms = state["alarms"];
  if (alarms.size() >= kAlarmLimit) throw Refusal("there are too many alarms");
  const std::string key = text(a, "time") + (a.contains("day") ? " " + text(a, "day") : "");
  alarms[key] = true;
  return "an alarm is set for " + key;
}

std::string cancel_alarm(json& state, const json& a) {
  const std::string time = text(a, "time");
  if (state["alarms"].erase(time) == 0) throw Refusal("no alarm is set for " + time);
  return "the alarm at " + time + " is cancelled";
}

std::string add_reminder(json& state, const json& a) {
  require_text(text(a, "text"), "the reminder's text");
  state["reminders"].push_back(a);
  return "a reminder at " + text(a, "time") + ": " + text(a, "text");
}

std::string add_shopping(json& state, const json& a) {
  json& list = state["shopping"];
  for (const json& item : a["items"]) require_text(item.get<std::string>(), "an item");
  if (list.size() + a["items"].size() > kShoppingListLimit) throw Refusal("the shopping list is full");
  for (const json& item : a["items"]) {
    if (std::find(list.begin(), list.end(), item) != list.end()) {
      throw Refusal(item.get<std::string>() + " is already on the shopping list");
    }
    list.push_back(item);
  }
  return "on the shopping list: " + a["items"].dump();
}

std::string send_message(json& state, const json& a) {
  const std::string person = text(a, "person");
  require_name(person, "the person");
  require_text(text(a, "text"), "the message");
  state["messages"].push_back(a);
  return "message to " + person + ": " + text(a, "text");
}

std::string get_weather(json& state, const json& a) {
  if (a.contains("city")) require_name(text(a, "city"), "the city");
  state["weather_asked"].push_back(a);
  return "weather " + a.dump();
}

const std::map<std::string, Action>& actions() {
  static const std::map<std::string, Action> table = {
      {"light_switch", switch_light},     {"light_dim", dim_light},           {"light_color", color_light},
      {"thermostat_set", set_thermostat}, {"blinds_set", set_blinds},         {"fan_set", set_fan},
      {"door_lock", lock_door},           {"scene_activate", activate_scene}, {"appliance_switch", switch_appliance},
      {"oven_heat", heat_oven},           {"vacuum_start", start_vacuum},     {"vacuum_dock", dock_vacuum},
      {"music_play", play_music},         {"music_control", control_music},   {"volume_set", set_volume},
      {"tv_channel", set_channel},        {"timer_start", start_timer},       {"alarm_set", set_alarm},
      {"alarm_cancel", cancel_alarm},     {"reminder_add", add_reminder},     {"shopping_add", add_shopping},
      {"message_send", send_message},     {"weather_get", get_weather}};
  return table;
}

json initial_state() {
  json state = {{"scene", "good morning"},
                {"oven", nullptr},
                {"vacuum", {{"cleaning", true}, {"rooms", json::array()}}},
                {"music", {{"query", "jazz"}, {"room", "living room"}, {"playing", true}, {"track", 3}}},
                {"volume", {{"music", 35}, {"television", 35}, {"current", 35}}},
                {"timers", json::array()},
                {"reminders", json::array()},
                {"shopping", json::array()},
                {"messages", json::array()},
                {"weather_asked", json::array()}};
  for (const std::string& room : rooms()) {
    state["lights"][room] = {{"state", "undecided"}, {"brightness", 77}, {"color", "white"}};
  }
  for (const std::string& room : rooms_with("thermostat")) state["thermostats"][room] = 20;
  for (const std::string& room : rooms_with("blinds")) state["blinds"][room] = 33;
  for (const std::string& room : rooms_with("fan")) state["fans"][room] = "automatic";
  for (const std::string& room : rooms_with("television")) state["televisions"][room] = 0;
  for (const std::string& door : doors()) state["doors"][door] = nullptr;
  for (const std::string& appliance : appliances()) state["appliances"][appliance] = nullptr;
  for (const std::string& time : initial_alarms()) state["alarms"][time] = true;
  return state;
}

const json& initial() {
  static const json state = initial_state();
  return state;
}

/// Throws unless `state` has every member of the initial state's with a value of its type: what the actions rely on.
void require_like_initial(const json& state, const json& like, const json::json_pointer& place) {
  const bool number = like.is_number_integer() && state.is_number_integer();
  if (like.is_null() || number) return;
  if (state.type() != like.type())
    throw std::invalid_argument("state" + place.to_string() + ": expected a value of type " + like.type_name() +
                                ", found " + state.type_name());
  if (!like.is_object()) return;
  for (const auto& member : like.items()) {
    const bool alarms = place == json::json_pointer("/alarms");  // those of the initial home may be cancelled
    if (alarms) continue;
    if (!state.contains(member.key()))
      throw std::invalid_argument("state" + (place / member.key()).to_string() + ": expected a value, found none");
    require_like_initial(state[member.key()], member.value(), place / member.key());
  }
}

}  // namespace

Home::Home() : state_(initial()) {}

Home::Home(json state) : state_(std::move(state)) {
  require_like_initial(state_, initial(), json::json_pointer());
  for (const auto& member : state_.items())
    if (!initial().contains(member.key()))
      throw std::invalid_argument("state/" + member.key() + ": this home has no such thing");
}

std::optional<std::string> Home::call(const std::string& name, const json& arguments, std::string& error) {
  thread_local const call_reward::CallSchema schema(tools());
  if (const auto invalid = schema.invalid_reason(name, arguments)) {
    error = *invalid;
    return std::nullopt;
  }
  json changed = state_;
  try {
    std::string effect = actions().at(name)(changed, arguments);
    state_ = std::move(changed);
    return effect;
  } catch (const Refusal& refusal) {
    error = refusal.what();
    return std::nullopt;
  }
}

std::string Home::state_hash() const {
  static constexpr std::array<char, 17> kDigits = {"0123456789abcdef"};
  const std::uint64_t hash = fnv1a(state_.dump(-1, ' ', false, json::error_handler_t::replace));
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[i] = kDigits[(hash >> (60 - 4 * i)) & 15U];
  return text;
}

namespace {

Result run_call(Home& home, const json& call) {
  Result result{nullptr, false, "expected {\"name\": text, \"arguments\": {…}}"};
  if (!call.is_object()) return result;
  result.id = call.value("id", json());
  if (!call.contains("name") || !call["name"].is_string() || !call.contains("arguments")) return result;
  if (auto effect = home.call(call["name"].get<std::string>(), call["arguments"], result.content)) {
    result.ok = true;
    result.content = std::move(*effect);
  }
  return result;
}

/// "call 2 (fan_set)"
std::string name_of(const json& calls, std::size_t index) {
  const json& call = calls[index];
  const bool shaped = call.is_object() && call.contains("arguments") && call.value("name", json()).is_string();
  return "call " + std::to_string(index + 1) + (shaped ? " (" + call["name"].get<std::string>() + ")" : "");
}

}  // namespace

Outcome execute(Home& home, const json& calls) {
  Outcome outcome;
  if (!calls.is_array()) {
    outcome.ok = false;
    outcome.error = std::string("expected a list of calls, found ") + calls.type_name();
  }
  for (std::size_t i = 0; calls.is_array() && i < calls.size(); ++i) {
    if (!outcome.ok) {
      const json id = calls[i].is_object() ? calls[i].value("id", json()) : json();
      outcome.results.push_back({id, false, "not carried out: an earlier call failed"});
      continue;
    }
    outcome.results.push_back(run_call(home, calls[i]));
    if (outcome.results.back().ok) continue;
    outcome.ok = false;
    outcome.error = name_of(calls, i) + ": " + outcome.results.back().content;
  }
  outcome.state = home.state_hash();
  return outcome;
}

Outcome execute(const json& calls) {
  Home home;
  return execute(home, calls);
}

json to_json(const Outcome& outcome) {
  json results = json::array();
  for (const Result& result : outcome.results) {
    results.push_back({{"ok", result.ok}, {"content", result.content}});
    if (!result.id.is_null()) results.back()["id"] = result.id;
  }
  return {{"ok", outcome.ok},
          {"error", outcome.ok ? json(nullptr) : json(outcome.error)},
          {"state", outcome.state},
          {"results", std::move(results)}};
}

}  // namespace retort::home
