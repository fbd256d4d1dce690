// How values are said: numbers in words or digits, percentages, durations, times of day. The inverse of what a model
// has to learn; the rule teacher's parser is written separately and does not share this code.
#pragma once

#include <string>

#include "random.h"

namespace retort::home {

std::string two_digits(int number);  ///< "07"
int twelve_hour(int hour);           ///< in [1, 12]

/// 0 … 999,999 in words: "forty two", "one hundred eighty", "twelve hundred", "two thousand five".
std::string number_words(int number);

/// In words or digits, evenly.
std::string say_number(int number, Random& random);
std::string say_percent(int percent, Random& random);   ///< "40%", "40 percent", "forty percent"
std::string say_degrees(int degrees, Random& random);   ///< "21 degrees", "twenty one", "21"
std::string say_duration(int minutes, Random& random);  ///< "ten minutes", "half an hour", "an hour and a half"

/// minutes_of_day in [0, 1440), a multiple of five. Without a part of the day the hour is meant as said, so only
/// morning hours (and 24-hour digits) are ever said that way.
std::string say_time(int minutes_of_day, Random& random);
/// Only the forms that fit before a noun: "my 6:30 am alarm".
std::string say_short_time(int minutes_of_day, Random& random);

std::string clock_text(int minutes_of_day);  ///< "18:30"
int minutes_of_clock(const std::string& clock);

}  // namespace retort::home
