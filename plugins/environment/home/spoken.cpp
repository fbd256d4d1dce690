// Numbers and times as people say them in English. No parsing.
#include "spoken.h"

#include <array>
#include <vector>

namespace retort::home {
namespace {

constexpr std::array<const char*, 20> kSmall = {
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<const char*, 10> kTens = {"",      "",      "twenty",  "thirty", "forty",
                                               "fifty", "sixty", "seventy", "eighty", "ninety"};

std::string in_part_of_day(int hour) {
  if (hour < 12) return "in the morning";
  if (hour < 17) return "in the afternoon";
  return hour < 21 ? "in the evening" : "at night";
}

/// "half past six", "quarter to seven", "ten past eight", "six": the hour that is named may be the next one.
std::string past_or_to(int hour, int minute) {
  const std::string this_hour = number_words(twelve_hour(hour));
  const std::string next_hour = number_words(twelve_hour(hour + 1));
  if (minute == 0) return this_hour;
  if (minute == 15) return "quarter past " + this_hour;
  if (minute == 30) return "half past " + this_hour;
  if (minute == 45) return "quarter to " + next_hour;
  if (minute < 30) return number_words(minute) + " past " + this_hour;
  return number_words(60 - minute) + " to " + next_hour;
}

std::string hour_and_minute_words(int hour, int minute) {
  const std::string words = number_words(twelve_hour(hour));
  if (minute == 0) return words;
  return words + " " + (minute < 10 ? "oh " : "") + number_words(minute);
}

std::string twelve_hour_digits(int hour, int minute) {
  const std::string digits = std::to_string(twelve_hour(hour));
  return minute == 0 ? digits : digits + ":" + two_digits(minute);
}

}  // namespace

std::string two_digits(int number) {
  return (number < 10 ? "0" : "") + std::to_string(number);
}

int twelve_hour(int hour) {
  return hour % 12 == 0 ? 12 : hour % 12;
}

std::string number_words(int number) {
  if (number < 20) return kSmall[static_cast<std::size_t>(number)];
  if (number < 100) {
    const std::string tens = kTens[static_cast<std::size_t>(number / 10)];
    return number % 10 == 0 ? tens : tens + " " + kSmall[static_cast<std::size_t>(number % 10)];
  }
  if (number >= 2000) {
    const std::string thousands = number_words(number / 1000) + " thousand";
    return number % 1000 == 0 ? thousands : thousands + " " + number_words(number % 1000);
  }
  const std::string hundreds = std::string(kSmall[static_cast<std::size_t>(number / 100)]) + " hundred";
  return number % 100 == 0 ? hundreds : hundreds + " " + number_words(number % 100);
}

std::string say_number(int number, Random& random) {
  return random.chance(50) ? number_words(number) : std::to_string(number);
}

std::string say_percent(int percent, Random& random) {
  if (random.chance(25)) return std::to_string(percent) + "%";
  return say_number(percent, random) + " percent";
}

std::string say_degrees(int degrees, Random& random) {
  const std::string number = say_number(degrees, random);
  return random.chance(70) ? number + " degrees" : number;
}

std::string say_duration(int minutes, Random& random) {
  if (minutes == 15 && random.chance(40)) return "a quarter of an hour";
  if (minutes == 30 && random.chance(50)) return "half an hour";
  if (minutes == 90) return random.chance(50) ? "an hour and a half" : "one and a half hours";
  if (minutes == 60) return random.chance(50) ? "an hour" : "one hour";
  if (minutes % 60 == 0) return say_number(minutes / 60, random) + " hours";
  if (minutes == 1) return random.chance(50) ? "one minute" : "a minute";
  return say_number(minutes, random) + " minutes";
}

std::string say_time(int minutes_of_day, Random& random) {
  const int hour = minutes_of_day / 60;
  const int minute = minutes_of_day % 60;
  if (minutes_of_day == 12 * 60 && random.chance(70)) return "noon";
  if (minutes_of_day == 0) return "midnight";
  switch (random.below(hour < 12 ? 6 : 5)) {
    case 0:
      return say_short_time(minutes_of_day, random);
    case 1:
      return past_or_to(hour, minute) + " " + in_part_of_day(hour);
    case 2:
      return hour_and_minute_words(hour, minute) + " " + in_part_of_day(hour);
    case 3:
      return twelve_hour_digits(hour, minute) + " " + in_part_of_day(hour);
    case 4:
      if (minute == 0) return number_words(twelve_hour(hour)) + " o'clock " + in_part_of_day(hour);
      return past_or_to(hour, minute) + " " + in_part_of_day(hour);
    default:
      if (minute == 0) return number_words(hour) + " o'clock";
      return random.chance(50) ? hour_and_minute_words(hour, minute) : past_or_to(hour, minute);
  }
}

std::string say_short_time(int minutes_of_day, Random& random) {
  const int hour = minutes_of_day / 60;
  const int minute = minutes_of_day % 60;
  const std::string half = hour < 12 ? " am" : " pm";
  switch (random.below(3)) {
    case 0:
      return std::to_string(hour) + ":" + two_digits(minute);
    case 1:
      return twelve_hour_digits(hour, minute) + half;
    default:
      return hour_and_minute_words(hour, minute) + half;
  }
}

std::string clock_text(int minutes_of_day) {
  return two_digits(minutes_of_day / 60) + ":" + two_digits(minutes_of_day % 60);
}

int minutes_of_clock(const std::string& clock) {
  return std::stoi(clock.substr(0, 2)) * 60 + std::stoi(clock.substr(3));
}

}  // namespace retort::home
