// Times and days, put together as people do.
#include "moments.h"

#include "marks.h"
#include "open_words.h"
#include "spoken.h"
#include "spoken_forms.h"
#include "vocabulary.h"

namespace retort::home {
namespace {

int draw_minutes_of_day(Random& random) {
  const int hour = random.chance(3) ? random.between(0, 4) : random.between(5, 23);
  const std::size_t share = random.below(100);
  if (share < 60) return hour * 60 + 30 * random.between(0, 1);
  if (share < 82) return hour * 60 + 15 * random.between(0, 3);
  return hour * 60 + (share < 94 ? 5 * random.between(0, 11) : random.between(0, 59));
}

bool weekday(const std::string& day) {
  return day != "today" && day != "tomorrow";
}

/// "on friday", "friday", "this friday"; today and tomorrow as they are.
std::string with_preposition(const std::string& day, Random& random) {
  if (!weekday(day)) return day;
  const std::size_t share = random.below(100);
  return (share < 72 ? "on " : share < 80 ? "this " : "") + day;
}

/// The time with a part of a day: "tomorrow morning at seven"; `day` may be "this" for a part of this day.
std::string with_part(int minutes, const std::string& day, bool at, Random& random) {
  std::string part = part_of_day(minutes);
  const std::string time = twelve_hour_time(minutes, random);
  std::string when = day + " " + part;
  if (day == "this" && part == "night") when = "tonight";
  if (day == "this" && part == "evening" && random.chance(50)) when = "tonight";
  if (day == "today") when = "today";
  if (weekday(day) && day != "this" && random.chance(50)) when = "on " + when;
  if (random.chance(50)) return when + " at " + time;
  return (at ? "at " : "") + time + " " + when;
}

std::string clock_with_day(int minutes, const std::string& day, bool at, Random& random) {
  const std::string time = any_time(minutes, random);
  const std::string when = with_preposition(day, random);
  if (random.chance(50)) return when + (random.chance(85) ? " at " : " ") + time;
  return (at ? "at " : "") + time + " " + when;
}

/// `at`: with the preposition of the time.
SlotValue moment(bool at, int day_percent, Random& random) {
  const int minutes = draw_minutes_of_day(random);
  const bool plain_hour = minutes >= 60 && minutes != 12 * 60;  // noon and midnight have no part of the day
  SlotValue result{{{"time", clock_text(minutes)}}, "", false, true};
  std::string words;
  if (random.chance(day_percent)) {
    const std::string& day = random.chance(45) ? days()[1] : random.pick(days());
    result.value["day"] = day;
    const bool part = plain_hour && day != "today" && random.chance(40);
    words = part ? with_part(minutes, day, at, random) : clock_with_day(minutes, day, at, random);
  } else if (plain_hour && random.chance(20)) {
    words = with_part(minutes, "this", at, random);
  } else {
    words = (at ? "at " : "") + any_time(minutes, random);
  }
  result.surface = marked(kSaid, words);
  return result;
}

SlotValue said(const std::string& value, const std::string& words) {
  return {value, marked(kSaid, words), false, false};
}

}  // namespace

std::map<std::string, std::function<SlotValue(const DrawSetting&, Random&)>> moment_kinds() {
  return {{"time",
           [](const DrawSetting&, Random& random) {
             const int minutes = draw_minutes_of_day(random);
             return said(clock_text(minutes), any_time(minutes, random));
           }},
          {"short_time",
           [](const DrawSetting&, Random& random) {
             const int minutes = draw_minutes_of_day(random);
             return said(clock_text(minutes), short_time(minutes, random));
           }},
          {"alarm",
           [](const DrawSetting&, Random& random) {
             const std::string& time = random.pick(initial_alarms());
             return said(time, any_time(minutes_of_clock(time), random));
           }},
          {"alarm_short",
           [](const DrawSetting&, Random& random) {
             const std::string& time = random.pick(initial_alarms());
             return said(time, short_time(minutes_of_clock(time), random));
           }},
          {"day",
           [](const DrawSetting&, Random& random) {
             const std::string& day = random.pick(days());
             return said(day, day);
           }},
          {"on_day",
           [](const DrawSetting&, Random& random) {
             const std::string& day = random.chance(35) ? days()[1] : random.pick(days());
             return said(day, with_preposition(day, random));
           }},
          {"moment", [](const DrawSetting&, Random& random) { return moment(false, 45, random); }},
          {"at_moment", [](const DrawSetting&, Random& random) { return moment(true, 45, random); }},
          {"timeday", [](const DrawSetting&, Random& random) { return moment(true, 100, random); }}};
}

}  // namespace retort::home
