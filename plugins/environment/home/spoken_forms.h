// The many ways in which people say and write numbers, temperatures, durations and times of day; spoken.h has the few
// of simple speech. Nothing here is ambiguous by the conventions of configs/tasks/home/README.md.
#pragma once

#include <string>

#include "random.h"

namespace retort::home {

/// "42", "forty two", "forty-two"; from a hundred also "one eighty", "a hundred and eighty".
std::string any_number(int number, Random& random);
std::string any_percent(int percent, Random& random);   ///< "40%", "40 percent", "forty per cent", "40 pct"
std::string any_degrees(int degrees, Random& random);   ///< "21°", "21 C", "21 degrees celsius", "twenty-one", …
std::string any_duration(int minutes, Random& random);  ///< minutes in [1, 600]: "90 min", "an hour and 20 minutes", …
/// Forms that fit before a noun ("20-minute timer"); hours only where they are whole.
std::string short_duration(int minutes, Random& random);

/// minutes_of_day in [0, 1440). Says the part of the day unless the hour is meant as said.
std::string any_time(int minutes_of_day, Random& random);
/// Without "in the evening" and its like: "7pm", "7.30 p.m.", "19:30".
std::string short_time(int minutes_of_day, Random& random);
/// Without any part of the day, for use beside "tonight" or "tomorrow morning": "seven thirty", "half past 7", "7:30".
std::string twelve_hour_time(int minutes_of_day, Random& random);
/// "morning", "afternoon", "evening", "night".
std::string part_of_day(int minutes_of_day);

}  // namespace retort::home
