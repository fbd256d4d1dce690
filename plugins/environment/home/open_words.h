// Free values of wide speech: long lists of names, phrases that templates make, and invented words, which can be copied
// but not recalled. One value in six is kept for the test split.
#pragma once

#include <string>
#include <vector>

#include "slots.h"
#include "vocabulary.h"

namespace retort::home {

/// A list of data/wide/names: "people", "relations", "cities", "groceries", "songs", "artists", … Throws
/// std::out_of_range for another.
const Words& word_list(const std::string& name);

/// Other names of a value of a closed list that wide speech uses, itself the most; see vocabulary.h's spoken_names().
const Words& wide_names(const std::string& value);

/// Draws until the value fits the split: training and validation never get one that is kept for test, and test gets
/// such a one half of the time.
template <class DrawOne>
std::string draw_for_split(const DrawSetting& setting, Random& random, DrawOne draw_one);
std::string draw_word(const std::string& list, const DrawSetting& setting, Random& random);

/// Phrases of a kind of data/wide/phrases.json, made by its templates. Throws std::out_of_range for another kind.
std::string draw_phrase(const std::string& kind, const DrawSetting& setting, Random& random);
std::vector<std::string> phrase_kinds();

/// "brenko", "talluvi": one to three syllables, drawn anew each time.
std::string made_up_word(Random& random);
/// One to `most` made-up words.
std::string made_up_words(std::size_t most, Random& random);

inline bool reserved_for_test(const std::string& phrase) {
  return fnv1a(phrase) % 6 == 0;
}

template <class DrawOne>
std::string draw_for_split(const DrawSetting& setting, Random& random, DrawOne draw_one) {
  constexpr int kTries = 60;  // a kind with few values may have none that is kept for test
  const bool wants_reserved = setting.split == Split::test && random.chance(50);
  for (int tries = 0;; ++tries) {
    std::string phrase = draw_one();
    const bool reserved = reserved_for_test(phrase);
    if (setting.split == Split::test ? (!wants_reserved || reserved || tries > kTries) : !reserved) return phrase;
  }
}

}  // namespace retort::home
