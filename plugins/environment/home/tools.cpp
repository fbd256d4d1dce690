// The tool list. The ranges here are what a call may say; what the home then does with it is home.cpp's business: an
// oven call of 20 degrees is well-formed and refused.
#include "tools.h"

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "vocabulary.h"

namespace retort::home {
namespace {

using nlohmann::json;

json text(const char* description) {
  return {{"type", "string"}, {"description", description}};
}
json flag(const char* description) {
  return {{"type", "boolean"}, {"description", description}};
}
json one_of(const std::vector<std::string>& values, const char* description) {
  return {{"type", "string"}, {"enum", values}, {"description", description}};
}
json whole(int low, int high, const char* description) {
  return {{"type", "integer"}, {"minimum", low}, {"maximum", high}, {"description", description}};
}
json clock() {
  return {{"type", "string"}, {"pattern", "^([01][0-9]|2[0-3]):[0-5][0-9]$"}, {"description", "24-hour time, HH:MM"}};
}
json list_of(json items, const char* description) {
  return {{"type", "array"}, {"items", std::move(items)}, {"minItems", 1}, {"description", description}};
}
json room(const char* description = "the room") {
  return one_of(rooms(), description);
}

json tool(const char* name, const char* description, json properties, const std::vector<std::string>& required) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"description", description},
            {"parameters",
             {{"type", "object"},
              {"properties", std::move(properties)},
              {"required", required},
              {"additionalProperties", false}}}}}};
}

json lights_and_climate() {
  return json::array(
      {tool("light_switch", "Turns the lights of a room on or off.",
            {{"room", room()}, {"state", one_of({"on", "off"}, "the new state")}}, {"room", "state"}),
       tool("light_dim", "Sets the brightness of a room's lights.",
            {{"room", room()}, {"brightness", whole(1, 100, "percent")}}, {"room", "brightness"}),
       tool("light_color", "Sets the colour of a room's lights; not every room has colour lamps.",
            {{"room", room()}, {"color", one_of(colors(), "the colour")}}, {"room", "color"}),
       tool("thermostat_set", "Sets the temperature of one room, or of the whole home when no room is given.",
            {{"room", room()}, {"temperature", whole(0, 40, "degrees Celsius")}}, {"temperature"}),
       tool("blinds_set", "Moves the blinds of a room.",
            {{"room", room()}, {"position", whole(0, 100, "percent: 0 is closed, 100 is open")}}, {"room", "position"}),
       tool("fan_set", "Sets the speed of a room's fan.",
            {{"room", room()}, {"speed", one_of({"off", "low", "medium", "high"}, "the speed")}}, {"room", "speed"}),
       tool("door_lock", "Locks or unlocks a door.",
            {{"door", one_of(doors(), "the door")}, {"locked", flag("true locks, false unlocks")}}, {"door", "locked"}),
       tool("scene_activate", "Starts a scene that was set up before.", {{"scene", one_of(scenes(), "the scene")}},
            {"scene"})});
}

json appliances_and_media() {
  return json::array(
      {tool("appliance_switch", "Switches an appliance on or off.",
            {{"appliance", one_of(appliances(), "the appliance")}, {"on", flag("true switches on")}},
            {"appliance", "on"}),
       tool("oven_heat", "Heats the oven, for some minutes when they are given.",
            {{"temperature", whole(0, 400, "degrees Celsius")},
             {"minutes", whole(1, 600, "how long; until switched off when absent")},
             {"convection", flag("circulate the air")}},
            {"temperature"}),
       tool("vacuum_start", "Sends the robot vacuum to clean rooms, in this order.",
            {{"rooms", list_of(room("a room"), "the rooms")}}, {"rooms"}),
       tool("vacuum_dock", "Sends the robot vacuum back to its dock.", json::object(), {}),
       tool("music_play", "Plays music, in one room when it is given.",
            {{"query", text("artist, genre or kind of music, as the user says it")}, {"room", room()}}, {"query"}),
       tool("music_control", "Controls the music that plays.",
            {{"action", one_of({"pause", "resume", "next", "previous", "stop"}, "what to do")}}, {"action"}),
       tool("volume_set", "Sets the volume of the music or the television; of what plays when no device is given.",
            {{"device", one_of({"music", "television"}, "the device")}, {"level", whole(0, 100, "percent")}},
            {"level"}),
       tool("tv_channel", "Puts a television on a channel; the living room's when no room is given.",
            {{"room", room()}, {"channel", whole(1, 999, "channel number")}}, {"channel"})});
}

json time_and_people() {
  return json::array(
      {tool("timer_start", "Starts a timer.",
            {{"minutes", whole(1, 600, "minutes")}, {"label", text("what the timer is for")}}, {"minutes"}),
       tool("alarm_set", "Sets an alarm; for the next time it is that late when no day is given.",
            {{"time", clock()}, {"day", one_of(days(), "the day")}}, {"time"}),
       tool("alarm_cancel", "Cancels an alarm that is set.", {{"time", clock()}}, {"time"}),
       tool("reminder_add", "Reminds the user of something.",
            {{"text", text("what to be reminded of, as the user says it")},
             {"time", clock()},
             {"day", one_of(days(), "the day; today when absent")}},
            {"text", "time"}),
       tool("shopping_add", "Puts items on the shopping list.",
            {{"items", list_of(text("an item, as the user says it"), "the items")}}, {"items"}),
       tool("message_send", "Sends a message to a person.",
            {{"person", text("who gets it")}, {"text", text("the message, as the user says it")}}, {"person", "text"}),
       tool("weather_get", "Tells the weather; here and now when nothing is given.",
            {{"city", text("the city")}, {"day", one_of(days(), "the day")}}, {})});
}

}  // namespace

const json& tools() {
  static const json all = [] {
    json list = json::array();
    for (const json& part : {lights_and_climate(), appliances_and_media(), time_and_people()}) {
      for (const json& entry : part) list.push_back(entry);
    }
    return list;
  }();
  return all;
}

}  // namespace retort::home
