// See utterance_automaton.h: a state is the set of places in the texts where a part could stand by now.
#include "grammar/utterance_automaton.h"

#include <cwctype>
#include <map>

#include "grammar/limits.h"
#include "schema/code_points.h"

namespace retort::grammar {
namespace {

constexpr std::uint32_t border = 0;  // between texts

/// Simple case pairs without a locale: ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic.
std::uint32_t folded(std::uint32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177)) return c | 1U;
  if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c % 2 == 1 ? c + 1 : c;
  if ((c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

bool in_word(std::uint32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (folded(c) >= 'a' && folded(c) <= 'z');
  return true;
}

/// Every character that folds to `c`.
std::vector<std::uint32_t> unfolded(std::uint32_t c) {
  std::vector<std::uint32_t> all = {c};
  for (const std::uint32_t distance : {32U, 1U, 80U})
    if (c >= distance && c - distance != c && folded(c - distance) == c) all.push_back(c - distance);
  return all;
}

}  // namespace

CharacterAutomaton said_texts(const std::vector<std::string>& texts) {
  std::vector<std::uint32_t> said{border};
  for (const std::string& text : texts) {
    for (std::size_t at = 0; at < text.size();) {
      const std::uint32_t character = schema::next_character(text, at);
      said.push_back(character > 0x10FFFF ? border : folded(character));
    }
    said.push_back(border);
  }
  const auto splits = [&](std::size_t at) { return in_word(said[at - 1]) && in_word(said[at]) && said[at] != border; };
  std::map<std::uint32_t, std::int32_t> classes;
  for (const std::uint32_t character : said)
    if (character != border) classes.emplace(character, 0);
  std::map<std::uint32_t, std::int32_t> class_of;
  std::int32_t count = 0;
  for (auto& [character, number] : classes) {
    number = count++;
    for (const std::uint32_t one : unfolded(character)) class_of[one] = number;
  }
  CharacterAutomaton automaton;
  if (count == 0) return automaton;
  automaton.classes = count;
  automaton.starts = {0};
  automaton.class_of = {CharacterAutomaton::dead};
  for (const auto& [character, number] : class_of) {
    if (automaton.starts.back() == character)
      automaton.class_of.back() = number;
    else
      automaton.starts.push_back(character), automaton.class_of.push_back(number);
    automaton.starts.push_back(character + 1), automaton.class_of.push_back(CharacterAutomaton::dead);
  }
  std::vector<std::int32_t> begins;
  for (std::size_t i = 1; i < said.size(); ++i)
    if (said[i] != border && said[i] != ' ' && !(said[i - 1] != border && splits(i)))
      begins.push_back(static_cast<std::int32_t>(i));
  std::map<std::vector<std::int32_t>, std::int32_t> known{{begins, 0}};
  std::vector<std::vector<std::int32_t>> list{begins};
  for (std::size_t s = 0; s < list.size(); ++s) {
    check_limits(list.size(), most_automaton_states, "parts of a conversation");
    bool accepts = false;
    std::vector<std::vector<std::int32_t>> targets(static_cast<std::size_t>(count));
    const std::vector<std::int32_t> places = list[s];
    for (const std::int32_t place : places) {
      const auto at = static_cast<std::size_t>(place);
      accepts = accepts || (s > 0 && said[at - 1] != ' ' && (said[at] == border || !splits(at)));
      if (said[at] != border) targets[static_cast<std::size_t>(classes[said[at]])].push_back(place + 1);
    }
    automaton.accepts.push_back(accepts ? 1 : 0);
    for (std::vector<std::int32_t>& target : targets) {
      if (target.empty()) {
        automaton.next.push_back(CharacterAutomaton::dead);
        continue;
      }
      const auto [found, fresh] = known.emplace(target, static_cast<std::int32_t>(list.size()));
      if (fresh) list.push_back(std::move(target));
      automaton.next.push_back(found->second);
    }
  }
  return finished(std::move(automaton));
}

}  // namespace retort::grammar
