// One pass a kind of change, in the order in which they happen to a text.
#include "surface.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "marks.h"
#include "open_words.h"

namespace retort::home {
namespace {

using Replacement = std::pair<const char*, const char*>;

constexpr std::array<Replacement, 30> kContractions = {
    {{"what is", "what's"},     {"how is", "how's"},   {"who is", "who's"},       {"where is", "where's"},
     {"when is", "when's"},     {"that is", "that's"}, {"there is", "there's"},   {"it is", "it's"},
     {"i am", "i'm"},           {"i will", "i'll"},    {"i would", "i'd"},        {"we are", "we're"},
     {"we will", "we'll"},      {"you are", "you're"}, {"they are", "they're"},   {"he is", "he's"},
     {"she is", "she's"},       {"do not", "don't"},   {"does not", "doesn't"},   {"did not", "didn't"},
     {"is not", "isn't"},       {"are not", "aren't"}, {"was not", "wasn't"},     {"can not", "can't"},
     {"cannot", "can't"},       {"will not", "won't"}, {"could not", "couldn't"}, {"should not", "shouldn't"},
     {"would not", "wouldn't"}, {"let us", "let's"}}};

constexpr std::array<Replacement, 31> kAbbreviations = {
    {{"please", "pls"},        {"please", "plz"},       {"you", "u"},         {"tomorrow", "tmrw"},
     {"tomorrow", "tmr"},      {"temperature", "temp"}, {"minutes", "mins"},  {"minutes", "min"},
     {"degrees", "deg"},       {"with", "w/"},          {"okay", "ok"},       {"thanks", "thx"},
     {"message", "msg"},       {"volume", "vol"},       {"percent", "pct"},   {"monday", "mon"},
     {"tuesday", "tue"},       {"wednesday", "wed"},    {"thursday", "thu"},  {"friday", "fri"},
     {"saturday", "sat"},      {"sunday", "sun"},       {"television", "tv"}, {"because", "bc"},
     {"want to", "wanna"},     {"going to", "gonna"},   {"give me", "gimme"}, {"let me", "lemme"},
     {"i have to", "i gotta"}, {"tonight", "tonite"},   {"okay", "k"}}};

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
char upper(char c) {
  return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
}
bool in_word(char c) {
  return is_letter(c) || c == '\'' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}
bool stands_alone(const std::string& text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !in_word(text[begin - 1])) && (end == text.size() || !in_word(text[end]));
}

/// The mark in whose span the position lies, or 0.
char span_at(const std::string& text, std::size_t position) {
  for (std::size_t i = position; i-- > 0;)
    if (is_mark(text[i])) return text[i] == kEnd ? '\0' : text[i];
  return '\0';
}
bool copied_at(const std::string& text, std::size_t position) {
  const char span = span_at(text, position);
  return span == kCopied || span == kName;
}

/// Utterances that speak to the home by name or begin with a sound.
std::string with_filler(const std::string& text, Random& random) {
  if (random.chance(25)) {  // in the middle, before a word that is no value's
    for (int tries = 0; tries < 8; ++tries) {
      const std::size_t space = text.find(' ', random.below(text.size()));
      if (space == std::string::npos || span_at(text, space) != '\0') continue;
      const std::string sound = random.pick(word_list("sounds"));
      return text.substr(0, space) + (random.chance(50) ? ", " + sound + "," : " " + sound) + text.substr(space);
    }
  }
  return random.pick(word_list(random.chance(60) ? "wake_words" : "openers")) + (random.chance(45) ? ", " : " ") + text;
}

/// Each place with the given chance; in copied values only if `everywhere`.
bool replace_words(std::string& text, const Replacement& replacement, int percent, bool everywhere, Random& random) {
  const std::string from = replacement.first;
  bool replaced = false;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
    if (!stands_alone(text, at, at + from.size()) || (!everywhere && copied_at(text, at))) continue;
    if (!random.chance(percent)) continue;
    text.replace(at, from.size(), replacement.second);
    replaced = true;
  }
  return replaced;
}

bool contract(std::string& text, bool apostrophes, Random& random) {
  bool changed = false;
  for (const Replacement& contraction : kContractions)
    changed = replace_words(text, contraction, 92, true, random) || changed;
  if (apostrophes || text.find('\'') == std::string::npos) return false;
  text.erase(std::remove(text.begin(), text.end(), '\''), text.end());
  return true;
}

/// "Lock front door": without articles.
bool drop_articles(std::string& text) {
  bool changed = false;
  for (std::size_t at = text.find("the "); at != std::string::npos; at = text.find("the ", at)) {
    if (copied_at(text, at) || !stands_alone(text, at, at + 3)) {
      ++at;
      continue;
    }
    text.erase(at, 4);
    changed = true;
  }
  return changed;
}

bool abbreviate(std::string& text, Random& random) {
  bool changed = random.chance(50) && drop_articles(text);
  for (const Replacement& abbreviation : kAbbreviations)
    changed = replace_words(text, abbreviation, 45, false, random) || changed;
  for (std::size_t at = text.find(" and "); at != std::string::npos; at = text.find(" and ", at + 1)) {
    if (copied_at(text, at) || !random.chance(30)) continue;
    text.replace(at, 5, " & ");
    changed = true;
  }
  return changed;
}

/// Within a word of five letters or more that is no value's.
bool slip(std::string& text, Random& random) {
  for (int tries = 0; tries < 10; ++tries) {
    const std::size_t at = random.below(text.size());
    if (at < 2 || at + 3 > text.size() || span_at(text, at) != '\0') continue;
    if (!std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) - 2,
                     text.begin() + static_cast<std::ptrdiff_t>(at) + 3, is_letter))
      continue;
    const std::size_t kind = random.below(3);
    if (kind == 0) std::swap(text[at], text[at + 1]);
    if (kind == 1) text.erase(at, 1);
    if (kind == 2) text.insert(at, 1, text[at]);
    return true;
  }
  return false;
}

template <class Wanted>
void capitalise_words(std::string& text, Wanted wanted) {
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool letter = in_word(text[i]);
    if (letter && !inside && wanted(i)) text[i] = upper(text[i]);
    inside = letter || (text[i] >= '0' && text[i] <= '9');
  }
}

bool small_word(const std::string& text, std::size_t at) {
  for (const char* word : {"of", "the", "and", "by", "in", "a", "an", "to", "on", "for"}) {
    const std::string small = word;
    const bool first = at > 0 && is_mark(text[at - 1]);
    if (!first && text.compare(at, small.size(), small) == 0 && stands_alone(text, at, at + small.size())) return true;
  }
  return false;
}

void capitalise_names(std::string& text) {
  capitalise_words(text, [&](std::size_t at) { return span_at(text, at) == kName && !small_word(text, at); });
  for (const char* day : {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
    for (std::size_t at = text.find(day); at != std::string::npos; at = text.find(day, at + 1))
      text[at] = upper(text[at]);
}

void capitalise_sentence(std::string& text, Random& random) {
  capitalise_names(text);
  capitalise_words(
      text, [&](std::size_t at) { return text[at] == 'i' && (at + 1 >= text.size() || !is_letter(text[at + 1])); });
  const auto first = std::find_if(text.begin(), text.end(), [](char c) { return !is_mark(c); });
  if (first != text.end()) *first = upper(*first);
  if (!random.chance(70)) return;
  for (std::size_t at = text.find("tv"); at != std::string::npos; at = text.find("tv", at + 1))
    if (stands_alone(text, at, at + 2)) text.replace(at, 2, "TV");
}

void capitalise(std::string& text, Random& random) {
  const std::size_t style = random.below(100);
  if (style < 76) {
    capitalise_sentence(text, random);
  } else if (style < 86) {
    capitalise_names(text);
  } else if (style < 93) {
    std::transform(text.begin(), text.end(), text.begin(), upper);
  } else {
    capitalise_words(text, [](std::size_t) { return true; });
  }
}

const char* final_mark(bool question, Random& random) {
  if (question) return random.chance(92) ? "?" : ".";
  return random.chance(78) ? "." : random.chance(80) ? "!" : "...";
}

}  // namespace

bool asks(const std::string& text) {
  static const std::vector<std::string> starts = {"what",   "how",   "who",     "when",      "will ",    "is ",
                                                  "are ",   "do ",   "does ",   "did ",      "has ",     "have ",
                                                  "can ",   "could", "would",   "why",       "where ",   "should ",
                                                  "shall ", "am i",  "hey can", "hey could", "okay can", "okay could"};
  if (text.starts_with("do not") || text.starts_with("have the") || text.starts_with("when ")) return false;
  return std::any_of(starts.begin(), starts.end(), [&](const std::string& start) { return text.starts_with(start); });
}

Surface with_surface(std::string text, const SurfaceOptions& options, Random& random) {
  const bool question = asks(without_marks(text));
  Surface surface;
  if (random.happens(options.fillers)) {
    text = with_filler(text, random);
    surface.noisy = true;
  }
  if (random.happens(options.contractions))
    surface.noisy = contract(text, !random.happens(options.no_apostrophes), random) || surface.noisy;
  if (random.happens(options.abbreviations)) surface.noisy = abbreviate(text, random) || surface.noisy;
  if (random.happens(options.slips)) surface.noisy = slip(text, random) || surface.noisy;
  if (random.happens(options.capitals)) {
    capitalise(text, random);
    surface.noisy = true;
  }
  const bool ended = without_marks(text).ends_with('.');  // "7 p.m."
  if (random.happens(options.marks) && !ended) text += final_mark(question, random);
  surface.text = std::move(text);
  return surface;
}

}  // namespace retort::home
