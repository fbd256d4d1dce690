// Cutting names and values out of a clause. Which of them make a call is device_rules.cpp's and planning_rules.cpp's
// business.
#include "phrase.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <utility>

namespace retort::rules {
namespace {

using Names = std::vector<std::pair<std::string, std::string>>;  ///< as said, canonical; longer before its parts

Words words_in(std::string_view text) {
  std::istringstream stream{std::string(text)};
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

const Names& room_names() {
  static const Names names = {{"living room", "living room"},
                              {"lounge", "living room"},
                              {"dining room", "dining room"},
                              {"guest room", "guest room"},
                              {"kitchen", "kitchen"},
                              {"bedroom", "bedroom"},
                              {"bathroom", "bathroom"},
                              {"hallway", "hallway"},
                              {"hall", "hallway"},
                              {"office", "office"},
                              {"study", "office"},
                              {"nursery", "nursery"},
                              {"garage", "garage"}};
  return names;
}

const Names& color_names() {
  static const Names names = {{"warm white", "warm white"},
                              {"cool white", "cool white"},
                              {"red", "red"},
                              {"blue", "blue"},
                              {"green", "green"},
                              {"yellow", "yellow"},
                              {"orange", "orange"},
                              {"purple", "purple"},
                              {"violet", "violet"},
                              {"pink", "pink"}};
  return names;
}

const Names& appliance_names() {
  static const Names names = {{"coffee machine", "coffee machine"},
                              {"coffee maker", "coffee machine"},
                              {"dishwasher", "dishwasher"},
                              {"washing machine", "washing machine"},
                              {"dryer", "dryer"},
                              {"kettle", "kettle"},
                              {"tv", "television"},
                              {"television", "television"},
                              {"air purifier", "air purifier"},
                              {"lawn sprinkler", "lawn sprinkler"},
                              {"electric blanket", "electric blanket"}};
  return names;
}

const Names& scene_names() {
  static const Names names = {{"movie night", "movie night"},
                              {"good morning", "good morning"},
                              {"dinner", "dinner"},
                              {"bedtime", "bedtime"},
                              {"party", "party"},
                              {"reading", "reading"},
                              {"vacation", "vacation"},
                              {"cleaning", "cleaning"}};
  return names;
}

const Names& day_names() {
  static const Names names = {{"today", "today"},     {"tomorrow", "tomorrow"},   {"monday", "monday"},
                              {"tuesday", "tuesday"}, {"wednesday", "wednesday"}, {"thursday", "thursday"},
                              {"friday", "friday"},   {"saturday", "saturday"},   {"sunday", "sunday"}};
  return names;
}

}  // namespace

Words split_words(std::string_view text) {
  std::string spaced;
  for (const char c : text) {
    if (c == ',') {
      spaced += " , ";
    } else if (c == '%') {
      spaced += " percent ";
    } else if (c != '.' && c != '?' && c != '!') {
      spaced += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  Words words;
  for (const std::string& word : words_in(spaced)) {
    if (word == "don't") {
      words.insert(words.end(), {"do", "not"});
    } else {
      words.push_back(word);
    }
  }
  return words;
}

std::string joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

bool Phrase::has(std::string_view word) const {
  return find(words_in(word)).has_value();
}

bool Phrase::begins_with(std::string_view sequence) const {
  const Words expected = words_in(sequence);
  return expected.size() <= words_.size() && std::equal(expected.begin(), expected.end(), words_.begin());
}

std::optional<Span> Phrase::find(const Words& sequence) const {
  const auto found = std::search(words_.begin(), words_.end(), sequence.begin(), sequence.end());
  if (found == words_.end()) return std::nullopt;
  const auto begin = static_cast<std::size_t>(found - words_.begin());
  return Span{begin, begin + sequence.size()};
}

void Phrase::gap(std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) words_[i].clear();
}

bool Phrase::cut(std::string_view sequence) {
  const auto found = find(words_in(sequence));
  if (found) gap(found->begin, found->end);
  return found.has_value();
}

bool Phrase::cut_any(std::initializer_list<std::string_view> sequences) {
  return std::any_of(sequences.begin(), sequences.end(), [this](std::string_view sequence) { return cut(sequence); });
}

std::optional<std::string> Phrase::cut_name(const Names& names) {
  const std::pair<std::string, std::string>* first = nullptr;
  Span where{words_.size(), 0};
  for (const auto& name : names) {
    const auto found = find(words_in(name.first));
    if (found && found->begin < where.begin) {
      where = *found;
      first = &name;
    }
  }
  if (first == nullptr) return std::nullopt;
  if (where.begin > 0 && words_[where.begin - 1] == "the") --where.begin;
  gap(where.begin, where.end);
  return first->second;
}

std::optional<std::string> Phrase::cut_room() {
  return cut_name(room_names());
}
std::optional<std::string> Phrase::cut_color() {
  return cut_name(color_names());
}
std::optional<std::string> Phrase::cut_appliance() {
  return cut_name(appliance_names());
}
std::optional<std::string> Phrase::cut_scene() {
  return cut_name(scene_names());
}

std::optional<std::string> Phrase::cut_day() {
  for (const char* preposition : {"on", "for", ""}) {
    Names prefixed;
    for (const auto& [said, name] : day_names()) {
      if (*preposition != '\0') prefixed.emplace_back(std::string(preposition) + " " + said, name);
    }
    if (auto day = cut_name(*preposition != '\0' ? prefixed : day_names())) return day;
  }
  return std::nullopt;
}

template <class Read>
std::optional<int> Phrase::cut_reading(Read read, std::initializer_list<std::string_view> before) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::optional<Reading> reading = read(words_, i);
    if (!reading) continue;
    const bool preposition = i > 0 && std::find(before.begin(), before.end(), words_[i - 1]) != before.end();
    gap(preposition ? i - 1 : i, reading->end);
    return reading->value;
  }
  return std::nullopt;
}

std::optional<int> Phrase::cut_number() {
  return cut_reading(
      [](const Words& words, std::size_t begin) {
        auto reading = read_number(words, begin);
        const bool unit = reading && reading->end < words.size() &&
                          (words[reading->end] == "percent" || words[reading->end] == "degrees");
        if (unit) ++reading->end;
        return reading;
      },
      {});
}

std::optional<int> Phrase::cut_duration() {
  return cut_reading(read_duration, {"for", "of"});
}

std::optional<std::string> Phrase::cut_time() {
  const auto minutes = cut_reading(read_time, {"at", "for", "to"});
  return minutes ? std::optional<std::string>(clock_text(*minutes)) : std::nullopt;
}

bool Phrase::only(std::string_view allowed) const {
  return rest(allowed).empty();
}

Words Phrase::rest(std::string_view dropped) const {
  const Words fillers = words_in(dropped);
  Words left;
  for (const std::string& word : words_) {
    if (!word.empty() && std::find(fillers.begin(), fillers.end(), word) == fillers.end()) left.push_back(word);
  }
  return left;
}

std::optional<std::string> Phrase::cut_text_after(std::string_view sequence) {
  const auto found = find(words_in(sequence));
  if (!found) return std::nullopt;
  std::size_t end = found->end;
  while (end < words_.size() && !words_[end].empty()) ++end;
  const Words text(words_.begin() + static_cast<std::ptrdiff_t>(found->end),
                   words_.begin() + static_cast<std::ptrdiff_t>(end));
  gap(found->begin, end);
  if (text.empty()) return std::nullopt;
  return joined(text);
}

}  // namespace retort::rules
