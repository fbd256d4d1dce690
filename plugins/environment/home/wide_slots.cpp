// One small function for each kind of slot of wide speech.
#include "wide_slots.h"

#include <algorithm>
#include <functional>
#include <map>

#include "marks.h"
#include "moments.h"
#include "open_words.h"
#include "spoken.h"
#include "spoken_forms.h"
#include "vocabulary.h"

namespace retort::home {
namespace {

using nlohmann::json;
using Draw = std::function<SlotValue(const DrawSetting&, Random&)>;
using Say = std::string (*)(int, Random&);

SlotValue said(json value, const std::string& words) {
  return {std::move(value), marked(kSaid, words), false, false};
}
SlotValue copied(const std::string& words, char mark, bool free_text) {
  return {words, marked(mark, words), free_text, false};
}

/// Mostly by the value's own name.
SlotValue named(const std::string& value, Random& random) {
  return said(value, random.chance(60) ? value : random.pick(wide_names(value)));
}
Draw closed(const Words& values) {
  return [&values](const DrawSetting&, Random& random) { return named(random.pick(values), random); };
}
Draw one_of(const char* list) {
  return [list](const DrawSetting&, Random& random) {
    const std::string& words = random.pick(word_list(list));
    return said(words, words);
  };
}
Draw word(const char* list, char mark) {
  return
      [=](const DrawSetting& setting, Random& random) { return copied(draw_word(list, setting, random), mark, false); };
}
Draw number(std::vector<int> likely, int likely_percent, int low, int high, Say say) {
  return [=](const DrawSetting&, Random& random) {
    const int value = random.chance(likely_percent) ? random.pick(likely) : random.between(low, high);
    static const Words hedges = {"about ", "around ", "roughly ", "exactly ", "like "};
    const SlotValue result = said(value, say(value, random));
    return random.chance(4) ? SlotValue{value, random.pick(hedges) + result.surface, false, false} : result;
  };
}

std::vector<int> steps(int low, int high, int step) {
  std::vector<int> values;
  for (int value = low; value <= high; value += step) values.push_back(value);
  return values;
}

SlotValue person(const DrawSetting& setting, Random& random) {
  if (random.happens(setting.made_up * .6)) return copied(made_up_word(random), kName, false);
  if (random.chance(30)) return copied(draw_word("relations", setting, random), kCopied, false);
  return copied(draw_word("people", setting, random), kName, false);
}

SlotValue city(const DrawSetting& setting, Random& random) {
  if (!random.happens(setting.made_up)) return copied(draw_word("cities", setting, random), kName, false);
  const std::string name = made_up_word(random);
  static const Words before = {"new ", "san ", "fort ", "port ", "saint ", "mount ", "north ", "el ", "lake "};
  static const Words after = {"ville",  "burg", "ton",  "ford", " city", " falls",
                              " beach", "grad", "abad", "ham",  "stadt"};
  if (random.chance(50)) return copied(name, kName, false);
  return copied(random.chance(40) ? random.pick(before) + name : name + random.pick(after), kName, false);
}

std::string item_words(const DrawSetting& setting, Random& random) {
  if (random.happens(setting.made_up * .6)) {
    const std::string brand = made_up_word(random);
    return random.chance(60) ? brand + " " + draw_word("groceries", setting, random) : brand;
  }
  return random.chance(30) ? draw_phrase("item_phrase", setting, random) : draw_word("groceries", setting, random);
}

/// Between items, and before the last.
struct Joints {
  const char* between;
  const char* last;
};

Joints draw_joints(std::size_t count, bool single_words, Random& random) {
  static const std::vector<Joints> two = {{"", " and "}, {"", " and "},  {"", " and "},
                                          {"", " and "}, {"", " and "},  {"", " and "},
                                          {"", ", "},    {"", " plus "}, {"", " and also "}};
  static const std::vector<Joints> many = {{", ", " and "},    {", ", " and "},    {", ", " and "}, {", ", ", and "},
                                           {", ", ", and "},   {" and ", " and "}, {", ", ", "},    {", ", " and "},
                                           {" and ", " and "}, {", ", " plus "}};
  static const std::vector<Joints> bare = {{" ", " and "}, {" ", " "}};
  if (count > 2 && single_words && random.chance(25)) return random.pick(bare);
  return random.pick(count == 2 ? two : many);
}

std::size_t draw_count(Random& random) {
  const std::size_t share = random.below(100);
  return share < 46 ? 1 : share < 74 ? 2 : share < 93 ? 3 : 4;
}

SlotValue items(const DrawSetting& setting, Random& random) {
  Words values;
  bool single_words = true;
  for (const std::size_t count = draw_count(random); values.size() < count;) {
    std::string item = item_words(setting, random);
    if (std::find(values.begin(), values.end(), item) != values.end()) continue;
    single_words = single_words && item.find(' ') == std::string::npos;
    values.push_back(std::move(item));
  }
  const Joints joints = draw_joints(values.size(), single_words, random);
  const bool some = random.chance(10);
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += i + 1 == values.size() ? joints.last : joints.between;
    const bool counted = values[i].starts_with("a ") || values[i].find(" of ") != std::string::npos;
    text += (some && !counted && random.chance(70) ? "some " : "") + marked(kCopied, values[i]);
  }
  return {values, text, false, false};
}

SlotValue one_item(const std::string& item) {
  return {Words{item}, marked(kCopied, item), false, false};
}

SlotValue vacuum_rooms(const DrawSetting&, Random& random) {
  json values = json::array();
  const std::string article = random.chance(80) ? "the " : "";
  const std::size_t count = std::min<std::size_t>(draw_count(random), 3);
  std::vector<std::string> names;
  while (values.size() < count) {
    const SlotValue one = named(random.pick(rooms_with("vacuum")), random);
    if (std::find(values.begin(), values.end(), one.value) != values.end()) continue;
    values.push_back(one.value);
    names.push_back((names.empty() || random.chance(80) ? article : "") + one.surface);
  }
  const Joints joints = draw_joints(count, false, random);
  std::string text = names.front();
  for (std::size_t i = 1; i < count; ++i) text += (i + 1 == count ? joints.last : joints.between) + names[i];
  return {values, text, false, false};
}

std::string song(const DrawSetting& setting, Random& random) {
  if (random.happens(setting.made_up)) return made_up_words(3, random);
  return random.chance(40) ? draw_phrase("title", setting, random) : draw_word("songs", setting, random);
}
std::string artist(const DrawSetting& setting, Random& random) {
  return random.happens(setting.made_up) ? made_up_words(2, random) : draw_word("artists", setting, random);
}

SlotValue music(const DrawSetting& setting, Random& random) {
  const std::size_t share = random.below(100);
  if (share < 32) return copied(song(setting, random), kName, true);
  if (share < 56) return copied(artist(setting, random), kName, true);
  if (share < 70) return copied(song(setting, random) + " by " + artist(setting, random), kName, true);
  if (share < 84) return copied(draw_word("genres", setting, random), kCopied, true);
  return copied(draw_phrase("music_phrase", setting, random), kCopied, true);
}

SlotValue room_without(const std::string& device, Random& random) {
  const Words& having = rooms_with(device);
  for (;;) {
    const std::string& room = random.pick(rooms());
    if (std::find(having.begin(), having.end(), room) == having.end()) return named(room, random);
  }
}

std::map<std::string, Draw> number_kinds() {
  return {
      {"percent", number(steps(10, 100, 10), 70, 1, 100, any_percent)},
      {"celsius", number(steps(17, 24, 1), 75, 12, 28, any_degrees)},
      {"oven", number(steps(100, 250, 10), 80, 50, 275, any_degrees)},
      {"channel", number(steps(1, 20, 1), 50, 1, 99, any_number)},
      {"minutes", number({5, 10, 15, 20, 30, 45, 60, 90, 120, 150, 180, 75, 80, 100, 240}, 55, 1, 59, any_duration)},
      {"short_minutes", number({5, 10, 15, 20, 30, 45, 60, 120}, 60, 1, 59, short_duration)},
      {"celsius_out", number({1, 2, 3, 5, 35, 38, 40, 45, 50, 60}, 60, 41, 200, any_degrees)},
      {"oven_out", number({5, 10, 20, 25, 320, 350, 400, 450, 500, 600, 900}, 80, 400, 999, any_degrees)},
      {"percent_out", number({110, 120, 130, 140, 150, 200, 300, 500}, 75, 105, 900, any_percent)},
      {"channel_out", number({150, 200, 300, 500, 700, 900}, 40, 130, 998, any_number)},
      {"minutes_out", number({660, 720, 780, 840, 900, 1200, 1440, 2880}, 80, 700, 999, any_duration)},
      {"seconds", number({5, 10, 15, 20, 30, 45, 90}, 70, 2, 59, any_number)}};
}

std::map<std::string, Draw> free_kinds() {
  std::map<std::string, Draw> kinds = {
      {"person", person},
      {"city", city},
      {"music", music},
      {"items", items},
      {"one_item", [](const DrawSetting& s, Random& r) { return one_item(item_words(s, r)); }},
      {"grocery_item", [](const DrawSetting& s, Random& r) { return one_item(draw_word("groceries", s, r)); }},
      {"item", [](const DrawSetting& s, Random& r) { return copied(item_words(s, r), kCopied, false); }},
      {"song", [](const DrawSetting& s, Random& r) { return copied(song(s, r), kName, true); }},
      {"artist", [](const DrawSetting& s, Random& r) { return copied(artist(s, r), kName, true); }},
      {"genre", [](const DrawSetting& s, Random& r) { return copied(draw_word("genres", s, r), kCopied, true); }},
      {"grocery", word("groceries", kCopied)},
      {"first_name", word("people", kName)},
      {"relation", word("relations", kCopied)},
      {"made_up", [](const DrawSetting&, Random& r) { return copied(made_up_word(r), kName, false); }},
      {"label", [](const DrawSetting& s, Random& r) {
         if (r.happens(s.made_up * .6)) return copied(made_up_word(r), kCopied, false);
         return copied(r.chance(30) ? draw_word("dishes", s, r) : draw_word("timer_labels", s, r), kCopied, false);
       }}};
  for (const std::string& kind : phrase_kinds()) {
    const bool closes = kind == "message" || kind == "errand" || kind == "question" || kind == "music_phrase";
    kinds[kind] = [kind, closes](const DrawSetting& setting, Random& random) {
      return copied(draw_phrase(kind, setting, random), kCopied, closes);
    };
  }
  return kinds;
}

std::map<std::string, Draw> make_kinds() {
  static const Words speeds = {"low", "medium", "high"};
  static const Words sound_devices = {"music", "television"};
  std::map<std::string, Draw> kinds = number_kinds();
  kinds.merge(free_kinds());
  kinds.merge(moment_kinds());
  kinds.merge(std::map<std::string, Draw>{{"color", closed(colors())},
                                          {"scene", closed(scenes())},
                                          {"door", closed(doors())},
                                          {"appliance", closed(appliances())},
                                          {"speed", closed(speeds)},
                                          {"sound", closed(sound_devices)},
                                          {"vacuum_rooms", vacuum_rooms},
                                          {"room", closed(rooms())}});
  for (const char* list : {"missing_rooms", "gadgets", "food", "adjectives", "containers", "topics", "countries",
                           "chores", "dishes", "nouns", "verbs", "past_verbs", "title_words"})
    kinds[list] = one_of(list);
  for (const char* device : {"light", "color", "thermostat", "blinds", "fan", "speaker", "television", "vacuum"}) {
    kinds[std::string("room:") + device] = closed(rooms_with(device));
    if (rooms_with(device).size() == rooms().size()) continue;
    kinds[std::string("room_without:") + device] = [device](const DrawSetting&, Random& random) {
      return room_without(device, random);
    };
  }
  return kinds;
}

const std::map<std::string, Draw>& kinds() {
  static const std::map<std::string, Draw> all = make_kinds();
  return all;
}

}  // namespace

std::optional<SlotValue> draw_wide_slot(const std::string& kind, const DrawSetting& setting, Random& random) {
  const auto found = kinds().find(kind);
  if (found == kinds().end()) return std::nullopt;
  return found->second(setting, random);
}

std::vector<std::string> wide_slot_kinds() {
  std::vector<std::string> names;
  for (const auto& kind : kinds()) names.push_back(kind.first);
  return names;
}

}  // namespace retort::home
