// One small function for each kind of slot of simple speech; wide_slots.cpp has those of wide speech. How numbers and
// times are said is in spoken.cpp.
#include "slots.h"

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>

#include "marks.h"
#include "open_words.h"
#include "spoken.h"
#include "vocabulary.h"
#include "wide_slots.h"

namespace retort::home {
namespace {

using nlohmann::json;
using Draw = std::function<SlotValue(Split, Random&)>;

SlotValue named(const std::string& value, Random& random) {
  return {value, random.pick(spoken_names(value)), false};
}

Draw closed(const Words& values) {
  return [&values](Split, Random& random) { return named(random.pick(values), random); };
}

Draw open(const Words& values) {
  return [&values](Split, Random& random) {
    const std::string& value = random.pick(values);
    return SlotValue{value, value, false};
  };
}

bool contains(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string draw_product(const std::vector<PhraseProduct>& products, Split split, Random& random) {
  for (;;) {
    std::string phrase;
    for (const Words& part : random.pick(products)) {
      const std::string& word = random.pick(part);
      if (!word.empty()) phrase += (phrase.empty() ? "" : " ") + word;
    }
    if (split == Split::test) return phrase;
    if (reserved_for_test(phrase) || contains(unseen_items(), phrase) || contains(unseen_music(), phrase)) continue;
    return phrase;
  }
}

SlotValue free_text(const std::string& words) {
  return {words, words, true};
}

SlotValue message(Split split, Random& random) {
  return free_text(random.chance(20) ? random.pick(fixed_messages()) : draw_product(message_products(), split, random));
}

SlotValue errand(Split split, Random& random) {
  return free_text(random.chance(30) ? random.pick(fixed_errands()) : draw_product(errand_products(), split, random));
}

SlotValue music(Split split, Random& random) {
  if (split == Split::test && random.chance(10)) return free_text(random.pick(unseen_music()));
  if (split == Split::train && random.chance(30)) return free_text(draw_product(mixed_music(), split, random));
  return free_text(random.pick(random.chance(50) ? genres() : artists()));
}

/// Distinct values joined as a list is spoken: "a", "a and b", "a, b and c", "a and b and c".
template <class DrawOne>
SlotValue spoken_list(std::size_t count, Random& random, const std::string& article, DrawOne draw_one) {
  json values = json::array();
  std::vector<std::string> surfaces;
  while (values.size() < count) {
    const SlotValue one = draw_one();
    if (std::find(values.begin(), values.end(), one.value) != values.end()) continue;
    values.push_back(one.value);
    surfaces.push_back(article + one.surface);
  }
  std::string surface = surfaces.front();
  const std::string comma = random.chance(70) ? ", " : " and ";
  for (std::size_t i = 1; i < surfaces.size(); ++i)
    surface += (i + 1 == surfaces.size() ? " and " : comma) + surfaces[i];
  return {values, surface, false};
}

/// People name one thing or two; training goes up to three, because finding the next item is what has to be learnt.
std::size_t list_length(Split split, Random& random) {
  return 1 + random.below(split == Split::train ? 3 : 2);
}

SlotValue items(Split split, Random& random) {
  return spoken_list(list_length(split, random), random, "", [&] {
    const bool unseen = split == Split::test && random.chance(10);
    const bool mixed = split == Split::train && random.chance(20);
    const std::string item = unseen              ? random.pick(unseen_items())
                             : mixed             ? draw_product(mixed_items(), split, random)
                             : random.chance(40) ? draw_product(food_products(), split, random)
                                                 : random.pick(shopping_items());
    return SlotValue{item, item, false};
  });
}

SlotValue vacuum_rooms(Split split, Random& random) {
  return spoken_list(list_length(split, random), random, "the ",
                     [&] { return named(random.pick(rooms_with("vacuum")), random); });
}

SlotValue time_of_day(Split, Random& random) {
  const int hour = random.between(5, 23);
  const int minute = 15 * random.between(0, 3);
  const int minutes_of_day = random.chance(2) ? 0 : hour * 60 + minute;
  return {clock_text(minutes_of_day), say_time(minutes_of_day, random), false};
}

SlotValue alarm(Random& random, std::string (*say)(int, Random&)) {
  const std::string& time = random.pick(initial_alarms());
  return {time, say(minutes_of_clock(time), random), false};
}

SlotValue on_day(Split, Random& random) {
  const std::string& day = random.pick(days());
  return {day, (day == "today" || day == "tomorrow" ? "" : "on ") + day, false};
}

SlotValue minutes(Split, Random& random) {
  static const std::vector<int> long_times = {15, 30, 60, 90, 120, 180};
  const int value = random.chance(40) ? random.pick(long_times) : random.between(1, 59);
  return {value, say_duration(value, random), false};
}

SlotValue speed(Split, Random& random) {
  static const Words speeds = {"low", "medium", "high"};
  const std::string& value = random.pick(speeds);
  return {value, value, false};
}

Draw number(int low, int high, int step, std::string (*say)(int, Random&)) {
  return [=](Split, Random& random) {
    const int value = low + step * static_cast<int>(random.below(static_cast<std::size_t>((high - low) / step + 1)));
    return SlotValue{value, say(value, random), false};
  };
}

std::map<std::string, Draw> make_kinds() {
  static const Words sound_devices = {"music", "television"};
  std::map<std::string, Draw> kinds = {
      {"color", closed(colors())},
      {"scene", closed(scenes())},
      {"door", closed(doors())},
      {"appliance", closed(appliances())},
      {"day", closed(days())},
      {"sound",
       [](Split, Random& random) {
         const std::string& device = random.pick(sound_devices);
         return device == "music" ? SlotValue{device, device, false} : named(device, random);
       }},
      {"person", open(people())},
      {"city", open(cities())},
      {"label", open(timer_labels())},
      {"event", open(events())},
      {"country", open(countries())},
      {"dish", open(dishes())},
      {"topic", open(topics())},
      {"sport", open(sports())},
      {"animal", open(animals())},
      {"percent", number(5, 100, 5, say_percent)},
      {"celsius", number(14, 26, 1, say_degrees)},
      {"oven", number(80, 250, 10, say_degrees)},
      {"channel", number(1, 99, 1, say_number)},
      {"genre", [](Split, Random& random) { return free_text(random.pick(genres())); }},
      {"message", message},
      {"errand", errand},
      {"music", music},
      {"items", items},
      {"vacuum_rooms", vacuum_rooms},
      {"time", time_of_day},
      {"alarm", [](Split, Random& random) { return alarm(random, say_time); }},
      {"alarm_short", [](Split, Random& random) { return alarm(random, say_short_time); }},
      {"on_day", on_day},
      {"minutes", minutes},
      {"speed", speed}};
  for (const char* device : {"light", "color", "thermostat", "blinds", "fan", "speaker", "television"}) {
    kinds[std::string("room:") + device] = closed(rooms_with(device));
  }
  return kinds;
}

const std::map<std::string, Draw>& simple_kinds() {
  static const std::map<std::string, Draw> kinds = make_kinds();
  return kinds;
}

}  // namespace

SlotValue draw_slot(const std::string& kind, const DrawSetting& setting, Random& random) {
  if (setting.speech == Speech::wide) {
    if (auto value = draw_wide_slot(kind, setting, random)) return std::move(*value);
  }
  const auto found = simple_kinds().find(kind);
  if (found == simple_kinds().end()) throw std::invalid_argument("slot kind \"" + kind + "\": only wide speech has it");
  SlotValue value = found->second(setting.split, random);
  if (setting.speech == Speech::wide) value.surface = marked(kSaid, value.surface);
  return value;
}

void check_slot_kind(const std::string& kind) {
  const std::vector<std::string> wide = wide_slot_kinds();
  if (simple_kinds().count(kind) != 0 || std::find(wide.begin(), wide.end(), kind) != wide.end()) return;
  std::string known;
  for (const auto& entry : simple_kinds()) known += entry.first + ", ";
  for (const std::string& name : wide) known += name + ", ";
  throw std::invalid_argument("slot kind: expected one of " + known + "found \"" + kind + "\"");
}

}  // namespace retort::home
