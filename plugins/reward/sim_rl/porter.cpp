// Steps 1a to 5b; a rule whose suffix fits ends its step, whether its condition holds or not.
#include "porter.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <vector>

namespace retort::sim_rl {
namespace {

using Condition = bool (*)(const std::string& stem);

struct Rule {
  std::string_view suffix, replacement;
  Condition condition;
};

std::vector<bool> consonants(const std::string& word) {
  std::vector<bool> flags;
  for (const char c : word) {
    const bool vowel = c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
    flags.push_back(c == 'y' ? flags.empty() || !flags.back() : !vowel);
  }
  return flags;
}

/// m: how often a consonant follows a vowel.
int measure(const std::string& word) {
  const std::vector<bool> flags = consonants(word);
  int count = 0;
  for (std::size_t i = 1; i < flags.size(); ++i) count += !flags[i - 1] && flags[i] ? 1 : 0;
  return count;
}

bool has_vowel(const std::string& word) {
  const std::vector<bool> flags = consonants(word);
  return std::find(flags.begin(), flags.end(), false) != flags.end();
}

bool ends_consonant_vowel_consonant(const std::string& word) {
  const std::vector<bool> flags = consonants(word);
  const std::size_t n = word.size();
  if (n == 2) return !flags[0] && flags[1];
  return n >= 3 && flags[n - 3] && !flags[n - 2] && flags[n - 1] && word[n - 1] != 'w' && word[n - 1] != 'x' &&
         word[n - 1] != 'y';
}

bool always(const std::string& /*stem*/) {
  return true;
}
bool positive(const std::string& stem) {
  return measure(stem) > 0;
}
bool above_one(const std::string& stem) {
  return measure(stem) > 1;
}
bool ion(const std::string& stem) {
  return measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't');
}
bool logi(const std::string& stem) {
  return measure(stem + 'l') > 0;
}

std::string apply_first(const std::string& word, std::span<const Rule> rules) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string stem = word.substr(0, word.size() - rule.suffix.size());
    return rule.condition(stem) ? stem + std::string(rule.replacement) : word;
  }
  return word;
}

std::string step_1a(const std::string& word) {
  static constexpr Rule rules[] = {
      {"sses", "ss", always}, {"ies", "i", always}, {"ss", "ss", always}, {"s", "", always}};
  if (word.ends_with("ies") && word.size() == 4) return word.substr(0, 1) + "ie";
  return apply_first(word, rules);
}

/// What becomes of a stem that lost -ed or -ing.
std::string mended(const std::string& stem) {
  if (stem.ends_with("at") || stem.ends_with("bl") || stem.ends_with("iz")) return stem + 'e';
  const std::size_t n = stem.size();
  if (n >= 2 && stem[n - 1] == stem[n - 2] && consonants(stem).back()) {
    const char last = stem.back();
    return last == 'l' || last == 's' || last == 'z' ? stem : stem.substr(0, n - 1);
  }
  return measure(stem) == 1 && ends_consonant_vowel_consonant(stem) ? stem + 'e' : stem;
}

std::string step_1b(const std::string& word) {
  if (word.ends_with("ied")) return word.substr(0, word.size() - 3) + (word.size() == 4 ? "ie" : "i");
  if (word.ends_with("eed")) return positive(word.substr(0, word.size() - 3)) ? word.substr(0, word.size() - 1) : word;
  for (const std::string_view suffix : {"ed", "ing"}) {
    if (!word.ends_with(suffix)) continue;
    const std::string stem = word.substr(0, word.size() - suffix.size());
    if (has_vowel(stem)) return mended(stem);
  }
  return word;
}

std::string step_1c(const std::string& word) {
  if (!word.ends_with('y')) return word;
  const std::string stem = word.substr(0, word.size() - 1);
  return stem.size() > 1 && consonants(stem).back() ? stem + 'i' : word;
}

std::string step_2(std::string word) {
  static constexpr Rule rules[] = {
      {"ational", "ate", positive}, {"tional", "tion", positive}, {"enci", "ence", positive},
      {"anci", "ance", positive},   {"izer", "ize", positive},    {"bli", "ble", positive},
      {"alli", "al", positive},     {"entli", "ent", positive},   {"eli", "e", positive},
      {"ousli", "ous", positive},   {"ization", "ize", positive}, {"ation", "ate", positive},
      {"ator", "ate", positive},    {"alism", "al", positive},    {"iveness", "ive", positive},
      {"fulness", "ful", positive}, {"ousness", "ous", positive}, {"aliti", "al", positive},
      {"iviti", "ive", positive},   {"biliti", "ble", positive},  {"fulli", "ful", positive},
      {"logi", "log", logi}};
  while (word.ends_with("alli") && positive(word.substr(0, word.size() - 4))) word.resize(word.size() - 2);
  return apply_first(word, rules);
}

std::string step_3(const std::string& word) {
  static constexpr Rule rules[] = {{"icate", "ic", positive}, {"ative", "", positive},  {"alize", "al", positive},
                                   {"iciti", "ic", positive}, {"ical", "ic", positive}, {"ful", "", positive},
                                   {"ness", "", positive}};
  return apply_first(word, rules);
}

std::string step_4(const std::string& word) {
  static constexpr Rule rules[] = {
      {"al", "", above_one},    {"ance", "", above_one}, {"ence", "", above_one}, {"er", "", above_one},
      {"ic", "", above_one},    {"able", "", above_one}, {"ible", "", above_one}, {"ant", "", above_one},
      {"ement", "", above_one}, {"ment", "", above_one}, {"ent", "", above_one},  {"ion", "", ion},
      {"ou", "", above_one},    {"ism", "", above_one},  {"ate", "", above_one},  {"iti", "", above_one},
      {"ous", "", above_one},   {"ive", "", above_one},  {"ize", "", above_one}};
  return apply_first(word, rules);
}

std::string step_5(std::string word) {
  if (word.ends_with('e')) {
    const std::string stem = word.substr(0, word.size() - 1);
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_consonant_vowel_consonant(stem))) word = stem;
  }
  if (word.ends_with("ll") && above_one(word.substr(0, word.size() - 1))) word.pop_back();
  return word;
}

}  // namespace

std::string porter_stem(const std::string& word) {
  static const std::map<std::string, std::string> irregular = {
      {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
      {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
      {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
      {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"}};
  const auto found = irregular.find(word);
  if (found != irregular.end()) return found->second;
  if (word.size() <= 2) return word;
  return step_5(step_4(step_3(step_2(step_1c(step_1b(step_1a(word)))))));
}

}  // namespace retort::sim_rl
