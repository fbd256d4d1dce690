// Slots of wide speech that say when: times, days, and both together.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "slots.h"

namespace retort::home {

/// "time", "day", "on_day", "alarm", "alarm_short"; and, as {"time", "day"?}: "moment" ("7pm tomorrow"), "at_moment"
/// ("at seven on friday", "tonight at nine"), "timeday" (the same, always with a day). Parts of this day ("tonight")
/// name no day.
std::map<std::string, std::function<SlotValue(const DrawSetting&, Random&)>> moment_kinds();

}  // namespace retort::home
