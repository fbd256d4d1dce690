// Recursive descent over words, longest reading first.
#include "spoken_values.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace retort::rules {
namespace {

constexpr int kMinutesPerHour = 60;
constexpr int kNoon = 12 * kMinutesPerHour;

const std::map<std::string, int>& units() {
  static const std::map<std::string, int> table = {
      {"zero", 0},     {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},
      {"five", 5},     {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},
      {"ten", 10},     {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},
      {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19}};
  return table;
}

const std::map<std::string, int>& tens() {
  static const std::map<std::string, int> table = {{"twenty", 20}, {"thirty", 30},  {"forty", 40},  {"fifty", 50},
                                                   {"sixty", 60},  {"seventy", 70}, {"eighty", 80}, {"ninety", 90}};
  return table;
}

const std::string& at(const Words& words, std::size_t index) {
  static const std::string none;
  return index < words.size() ? words[index] : none;
}

bool follows(const Words& words, std::size_t begin, std::initializer_list<const char*> expected) {
  std::size_t index = begin;
  return std::all_of(expected.begin(), expected.end(), [&](const char* word) { return at(words, index++) == word; });
}

bool all_digits(const std::string& word) {
  return !word.empty() && word.size() <= 4 &&
         std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::optional<Reading> below_hundred(const Words& words, std::size_t begin) {
  const auto ten = tens().find(at(words, begin));
  if (ten == tens().end()) {
    const auto unit = units().find(at(words, begin));
    return unit == units().end() ? std::nullopt : std::optional<Reading>({unit->second, begin + 1});
  }
  const auto unit = units().find(at(words, begin + 1));
  if (unit == units().end() || unit->second == 0 || unit->second > 9) return Reading{ten->second, begin + 1};
  return Reading{ten->second + unit->second, begin + 2};
}

struct DayPart {
  bool known = false;
  bool afternoon = false;
  std::size_t end = 0;
};

DayPart read_day_part(const Words& words, std::size_t begin) {
  const std::string& first = at(words, begin);
  if (first == "am" || first == "pm") return {true, first == "pm", begin + 1};
  if (follows(words, begin, {"in", "the"})) {
    const std::string& part = at(words, begin + 2);
    if (part == "morning") return {true, false, begin + 3};
    if (part == "afternoon" || part == "evening") return {true, true, begin + 3};
  }
  if (follows(words, begin, {"at", "night"})) return {true, true, begin + 2};
  return {false, false, begin};
}

/// "18:30"
std::optional<Reading> read_clock(const Words& words, std::size_t begin) {
  const std::string& word = at(words, begin);
  const std::size_t colon = word.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::string hour = word.substr(0, colon);
  const std::string minute = word.substr(colon + 1);
  if (!all_digits(hour) || !all_digits(minute)) return std::nullopt;
  return Reading{std::stoi(hour) * kMinutesPerHour + std::stoi(minute), begin + 1};
}

/// "half past six", "quarter to seven", "twenty five past eight"
std::optional<Reading> read_relative(const Words& words, std::size_t begin) {
  std::optional<Reading> distance;
  if (at(words, begin) == "half") distance = Reading{30, begin + 1};
  if (at(words, begin) == "quarter") distance = Reading{15, begin + 1};
  if (!distance) distance = below_hundred(words, begin);
  if (!distance || distance->value >= kMinutesPerHour) return std::nullopt;
  const std::string& direction = at(words, distance->end);
  if (direction != "past" && direction != "to") return std::nullopt;
  const auto hour = below_hundred(words, distance->end + 1);
  if (!hour || hour->value < 1 || hour->value > 12) return std::nullopt;
  const int sign = direction == "past" ? 1 : -1;
  return Reading{hour->value * kMinutesPerHour + sign * distance->value, hour->end};
}

/// "seven thirty", "seven oh five", "seven", "7"; `bare` when only the hour was said.
std::optional<Reading> read_spoken_clock(const Words& words, std::size_t begin, bool& bare) {
  bare = true;
  if (all_digits(at(words, begin))) return Reading{std::stoi(words[begin]) * kMinutesPerHour, begin + 1};
  const auto hour = below_hundred(words, begin);
  if (!hour || hour->value > 23) return std::nullopt;
  const bool oh = at(words, hour->end) == "oh";
  const auto minute = below_hundred(words, hour->end + (oh ? 1 : 0));
  const bool fits = minute && minute->value < kMinutesPerHour && (oh ? minute->value < 10 : minute->value >= 10);
  if (!fits) return Reading{hour->value * kMinutesPerHour, hour->end};
  bare = false;
  return Reading{hour->value * kMinutesPerHour + minute->value, minute->end};
}

}  // namespace

std::optional<Reading> read_number(const Words& words, std::size_t begin) {
  if (all_digits(at(words, begin))) return Reading{std::stoi(words[begin]), begin + 1};
  const auto first = below_hundred(words, begin);
  if (!first || at(words, first->end) != "hundred") return first;
  const int hundreds = first->value * 100;
  const std::size_t after = first->end + 1;
  if (const auto rest = below_hundred(words, after + (at(words, after) == "and" ? 1 : 0))) {
    return Reading{hundreds + rest->value, rest->end};
  }
  return Reading{hundreds, after};
}

std::optional<Reading> read_duration(const Words& words, std::size_t begin) {
  if (follows(words, begin, {"half", "an", "hour"})) return Reading{30, begin + 3};
  if (follows(words, begin, {"a", "quarter", "of", "an", "hour"})) return Reading{15, begin + 5};
  if (follows(words, begin, {"one", "and", "a", "half", "hours"})) return Reading{90, begin + 5};
  if (follows(words, begin, {"an", "hour"})) {
    return follows(words, begin + 2, {"and", "a", "half"}) ? Reading{90, begin + 5} : Reading{60, begin + 2};
  }
  if (follows(words, begin, {"a", "minute"})) return Reading{1, begin + 2};
  const auto number = read_number(words, begin);
  if (!number) return std::nullopt;
  const std::string& unit = at(words, number->end);
  if (unit == "minute" || unit == "minutes") return Reading{number->value, number->end + 1};
  if (unit == "hour" || unit == "hours") return Reading{number->value * kMinutesPerHour, number->end + 1};
  return std::nullopt;
}

std::optional<Reading> read_time(const Words& words, std::size_t begin) {
  if (at(words, begin) == "noon") return Reading{kNoon, begin + 1};
  if (at(words, begin) == "midnight") return Reading{0, begin + 1};
  bool bare = false;
  std::optional<Reading> time = read_clock(words, begin);
  if (!time) time = read_relative(words, begin);
  if (!time) time = read_spoken_clock(words, begin, bare);
  if (!time) return std::nullopt;
  if (at(words, time->end) == "o'clock") {
    ++time->end;
    bare = false;
  }
  const DayPart part = read_day_part(words, time->end);
  if (bare && !part.known) return std::nullopt;
  // "quarter to one in the afternoon" is 12:45 and so is already past noon; "twelve thirty am" is 00:30.
  if (part.afternoon && time->value < kNoon) time->value += kNoon;
  if (part.known && !part.afternoon && time->value >= kNoon && time->value < kNoon + kMinutesPerHour)
    time->value -= kNoon;
  if (time->value >= 2 * kNoon || time->value < 0) return std::nullopt;
  time->end = part.end;
  return time;
}

std::string clock_text(int minutes_of_day) {
  const auto two = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  return two(minutes_of_day / kMinutesPerHour) + ":" + two(minutes_of_day % kMinutesPerHour);
}

}  // namespace retort::rules
