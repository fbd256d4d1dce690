// Reads the lists and the phrase templates of data/wide, and invents words.
#include "open_words.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "clause_template.h"
#include "data.h"
#include "macros.h"
#include "marks.h"

namespace retort::home {
namespace {

using nlohmann::json;

/// {"name": ["a, b, c", "d, e"], …}: lines of words that ", " parts.
void read_lists(std::string_view source, std::map<std::string, Words>& lists) {
  const json parsed = json::parse(source);
  for (const auto& list : parsed.items()) {
    Words& words = lists[list.key()];
    for (const std::string line : list.value()) {
      for (std::size_t begin = 0; begin < line.size();) {
        const std::size_t end = std::min(line.find(", ", begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        begin = end + 2;
      }
    }
  }
}

const std::map<std::string, std::vector<ClauseTemplate>>& phrases() {
  static const std::map<std::string, std::vector<ClauseTemplate>> all = [] {
    std::map<std::string, std::vector<ClauseTemplate>> kinds;
    const json parsed = json::parse(wide_phrases_data());
    for (const auto& kind : parsed.items()) {
      for (const json& say : kind.value()) {
        TemplateSource source;
        source.say = with_macros(say);
        kinds[kind.key()].emplace_back(std::move(source));
      }
    }
    return kinds;
  }();
  return all;
}

}  // namespace

const Words& word_list(const std::string& name) {
  static const std::map<std::string, Words> lists = [] {
    std::map<std::string, Words> all;
    for (const std::string_view source : {wide_people_names_data(), wide_place_names_data(), wide_goods_data(),
                                          wide_music_names_data(), wide_words_data()})
      read_lists(source, all);
    return all;
  }();
  const auto found = lists.find(name);
  if (found == lists.end()) throw std::out_of_range("word list: there is no \"" + name + "\"");
  return found->second;
}

const Words& wide_names(const std::string& value) {
  static const std::map<std::string, Words> names = [] {
    std::map<std::string, Words> all;
    read_lists(wide_spoken_names_data(), all);
    return all;
  }();
  const auto found = names.find(value);
  return found == names.end() ? spoken_names(value) : found->second;
}

std::string draw_word(const std::string& list, const DrawSetting& setting, Random& random) {
  const Words& words = word_list(list);
  return draw_for_split(setting, random, [&] { return random.pick(words); });
}

std::string draw_phrase(const std::string& kind, const DrawSetting& setting, Random& random) {
  const auto& templates = phrases().at(kind);
  return draw_for_split(setting, random,
                        [&] { return without_marks(random.pick(templates).draw(setting, random).text); });
}

std::vector<std::string> phrase_kinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> names;
    const json parsed = json::parse(wide_phrases_data());
    for (const auto& kind : parsed.items()) names.push_back(kind.key());
    return names;
  }();
  return kinds;
}

std::string made_up_word(Random& random) {
  static const Words onsets = {"b",  "br", "c",  "ch", "cl", "d",  "dr", "f",  "fl", "g",  "gr", "h",  "j",  "k",
                               "kr", "l",  "m",  "n",  "p",  "ph", "pl", "pr", "qu", "r",  "s",  "sh", "sk", "sl",
                               "st", "t",  "th", "tr", "v",  "w",  "y",  "z",  "",   "sp", "gl", "bl"};
  static const Words vowels = {"a",  "e",  "i",  "o",  "u", "ai", "ea", "ee",
                               "ie", "oa", "oo", "ou", "y", "au", "ei", "io"};
  static const Words codas = {"",  "",  "",   "",   "n",  "r",  "l",  "s",  "t",  "m", "nd", "ck",
                              "x", "p", "rt", "ng", "sh", "th", "ll", "ss", "nk", "d", "b",  "rn"};
  const std::size_t syllables = 1 + random.below(3);
  std::string word;
  for (std::size_t i = 0; i < syllables || word.size() < 3; ++i)
    word +=
        random.pick(onsets) + random.pick(vowels) + (i + 1 >= syllables || random.chance(25) ? random.pick(codas) : "");
  return word;
}

std::string made_up_words(std::size_t most, Random& random) {
  std::string words = made_up_word(random);
  for (std::size_t i = 1 + random.below(most); i > 1; --i) words += " " + made_up_word(random);
  return words;
}

}  // namespace retort::home
