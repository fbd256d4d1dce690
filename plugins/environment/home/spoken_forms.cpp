// How values are said, form by form; each function picks one of those that fit the value.
#include "spoken_forms.h"

#include <algorithm>
#include <vector>

#include "spoken.h"

namespace retort::home {
namespace {

using Forms = std::vector<std::string>;

std::string hyphenated(std::string words) {
  const std::size_t space = words.find(' ');
  if (space != std::string::npos) words[space] = '-';
  return words;
}

std::string number_or_words(int number, Random& random) {
  return random.chance(50) ? std::to_string(number) : number_words(number);
}

/// "half past six", "quarter to seven", "ten past 8"; nothing for the full hour.
std::string relative_time(int hour, int minute, Random& random) {
  const bool to = minute > 30;
  const std::string named = number_or_words(twelve_hour(to ? hour + 1 : hour), random);
  if (minute == 30) return "half past " + named;
  const std::string distance = minute == 15 || minute == 45 ? std::string(random.chance(20) ? "a quarter" : "quarter")
                                                            : number_or_words(to ? 60 - minute : minute, random);
  return distance + (to ? " to " : (random.chance(15) ? " after " : " past ")) + named;
}

std::string clock_words(int hour, int minute) {
  const std::string words = number_words(twelve_hour(hour));
  if (minute == 0) return words;
  return words + (minute < 10 ? " oh " : " ") + number_words(minute);
}

std::string clock_digits(int hour, int minute, Random& random) {
  const std::string digits = std::to_string(twelve_hour(hour));
  if (minute == 0) return random.chance(15) ? digits + ":00" : digits;
  const std::size_t share = random.below(100);
  return digits + (share < 18 ? "." : share < 28 ? " " : ":") + two_digits(minute);
}

std::string hours_and_minutes(int minutes, Random& random) {
  const int hours = minutes / 60;
  const int rest = minutes % 60;
  const std::string hour_text =
      hours == 1 ? std::string(random.chance(50) ? "an hour" : "1 hour") : number_or_words(hours, random) + " hours";
  const std::string and_text = random.chance(60) ? " and " : " ";
  switch (random.below(3)) {
    case 0:
      return std::to_string(hours) + "h " + std::to_string(rest) + (random.chance(50) ? "m" : "min");
    case 1:
      return std::to_string(hours) + (random.chance(50) ? " hr " : " hours ") + std::to_string(rest) + " min";
    default:
      return hour_text + and_text + number_or_words(rest, random) + " minutes";
  }
}

Forms hour_forms(int minutes) {
  if (minutes == 60) return {"an hour", "one hour", "1 hour", "1h", "1 hr", "an hour", "sixty minutes", "60 minutes"};
  if (minutes % 60 == 0) {
    const std::string digits = std::to_string(minutes / 60);
    return {digits + " hours", number_words(minutes / 60) + " hours", digits + "h", digits + " hrs",
            number_words(minutes / 60) + " hours"};
  }
  if (minutes == 90) return {"an hour and a half", "one and a half hours", "1.5 hours", "an hour and a half"};
  if (minutes % 60 == 30) {
    const std::string hours = number_words(minutes / 60);
    return {hours + " and a half hours", hours + " hours and a half", std::to_string(minutes / 60) + ".5 hours"};
  }
  return {};
}

Forms minute_forms(int minutes) {
  const std::string digits = std::to_string(minutes);
  const std::string unit = minutes == 1 ? " minute" : " minutes";
  Forms forms = {digits + unit,
                 digits + unit,
                 number_words(minutes) + unit,
                 number_words(minutes) + unit,
                 digits + (minutes == 1 ? " min" : " mins"),
                 digits + " min",
                 digits + "min",
                 hyphenated(number_words(minutes)) + unit};
  if (minutes == 1) forms.emplace_back("a minute");
  if (minutes == 15) forms.insert(forms.end(), {"a quarter of an hour", "quarter of an hour", "a quarter hour"});
  if (minutes == 30) forms.insert(forms.end(), {"half an hour", "half an hour", "a half hour", "half an hour"});
  if (minutes == 45) forms.insert(forms.end(), {"three quarters of an hour", "three quarters of an hour"});
  return forms;
}

/// "7pm", "7 pm", "7.30 p.m.", "7:30 PM"
std::string with_half(int hour, int minute, Random& random) {
  const char letter = hour < 12 ? 'a' : 'p';
  const std::string digits = random.chance(80) ? clock_digits(hour, minute, random) : clock_words(hour, minute);
  const bool tight = digits.back() >= '0' && digits.back() <= '9' && random.chance(55);
  const std::string gap = tight ? "" : " ";
  switch (random.below(6)) {
    case 0:
      return digits + gap + letter + ".m.";
    case 1:
      return digits + gap + static_cast<char>(letter - 32) + "M";
    default:
      return digits + gap + letter + "m";
  }
}

/// Whether the hour said on a twelve-hour clock is the hour meant.
bool meant_as_said(int hour) {
  return hour >= 1 && hour < 12;
}

}  // namespace

std::string any_number(int number, Random& random) {
  const std::string words = number_words(number);
  Forms forms = {std::to_string(number), std::to_string(number), words, number < 100 ? hyphenated(words) : words};
  const int rest = number % 100;
  if (number > 100 && number < 1000 && rest >= 10) {
    const std::string hundreds = number_words(number / 100);
    forms.push_back(hundreds + " " + number_words(rest));
    forms.push_back(hundreds + " hundred and " + number_words(rest));
    if (number < 200) forms.push_back("a hundred and " + number_words(rest));
  }
  if (number == 100) forms.emplace_back("a hundred");
  return random.pick(forms);
}

std::string any_percent(int percent, Random& random) {
  const std::string digits = std::to_string(percent);
  switch (random.below(8)) {
    case 0:
    case 1:
      return digits + "%";
    case 2:
      return digits + (random.chance(70) ? " %" : " pct");
    case 3:
      return any_number(percent, random) + " per cent";
    case 4:
      return any_number(percent, random);
    default:
      return any_number(percent, random) + " percent";
  }
}

std::string any_degrees(int degrees, Random& random) {
  const std::string digits = std::to_string(degrees);
  switch (random.below(10)) {
    case 0:
      return digits + "°";
    case 1:
      return digits + (random.chance(50) ? "°" : " °") + (random.chance(50) ? "c" : "C");
    case 2:
      return digits + (random.chance(50) ? " C" : " c");
    case 3:
      return any_number(degrees, random) + (random.chance(70) ? " degrees celsius" : " celsius");
    case 4:
    case 5:
      return any_number(degrees, random);
    case 6:
      return digits + " deg";
    default:
      return any_number(degrees, random) + " degrees";
  }
}

std::string any_duration(int minutes, Random& random) {
  const Forms hours = hour_forms(minutes);
  if (!hours.empty() && random.chance(minutes > 60 ? 90 : 80)) return random.pick(hours);
  if (minutes > 60 && minutes % 60 != 0 && random.chance(60)) return hours_and_minutes(minutes, random);
  return random.pick(minute_forms(minutes));
}

std::string short_duration(int minutes, Random& random) {
  const bool hours = minutes % 60 == 0 && random.chance(80);
  const int number = hours ? minutes / 60 : minutes;
  const std::string said = random.chance(60) ? std::to_string(number) : hyphenated(number_words(number));
  const char* unit = hours ? "hour" : (random.chance(75) ? "minute" : "min");
  return said + (random.chance(35) ? "-" : " ") + unit;
}

std::string part_of_day(int minutes_of_day) {
  const int hour = minutes_of_day / 60;
  if (hour < 12) return "morning";
  if (hour < 17) return "afternoon";
  return hour < 21 ? "evening" : "night";
}

std::string twelve_hour_time(int minutes_of_day, Random& random) {
  const int hour = minutes_of_day / 60;
  const int minute = minutes_of_day % 60;
  const bool relative = minute % 5 == 0 && minute != 0;
  switch (random.below(relative ? 4 : 3)) {
    case 0:
      return clock_digits(hour, minute, random);
    case 1:
      return clock_words(hour, minute);
    case 2:
      if (minute == 0) return number_or_words(twelve_hour(hour), random) + " o'clock";
      return clock_digits(hour, minute, random);
    default:
      return relative_time(hour, minute, random);
  }
}

std::string short_time(int minutes_of_day, Random& random) {
  const int hour = minutes_of_day / 60;
  const int minute = minutes_of_day % 60;
  if (random.chance(25)) {
    const std::string digits = random.chance(70) ? two_digits(hour) : std::to_string(hour);
    return digits + (random.chance(12) ? "." : ":") + two_digits(minute);
  }
  return with_half(hour, minute, random);
}

std::string any_time(int minutes_of_day, Random& random) {
  const int hour = minutes_of_day / 60;
  if (minutes_of_day == 12 * 60 && random.chance(75)) return random.chance(75) ? "noon" : "midday";
  if (minutes_of_day == 0 && random.chance(75)) return "midnight";
  if (meant_as_said(hour) && random.chance(40)) return twelve_hour_time(minutes_of_day, random);
  if (hour == 0 || random.chance(55)) return short_time(minutes_of_day, random);
  const std::string part = part_of_day(minutes_of_day);
  return twelve_hour_time(minutes_of_day, random) + (part == "night" ? " at night" : " in the " + part);
}

}  // namespace retort::home
