// Texts of an automaton that are held to a length (character_automaton.h): by counting alone where that decides, else
// by states that are multiplied by lengths.
#include <algorithm>

#include "grammar/character_automaton.h"
#include "grammar/limits.h"

namespace retort::grammar {
namespace {

/// Whether the lengths of the texts from each state are without gaps, up to `most` characters.
bool without_gaps(const CharacterAutomaton& a, std::int64_t most) {
  std::vector<std::uint8_t> now(a.accepts), begun(a.states(), 0), ended(a.states(), 0);
  for (std::int64_t length = 0; length <= most; ++length) {
    for (std::size_t s = 0; s < a.states(); ++s) {
      if (now[s] != 0 && ended[s] != 0) return false;
      if (now[s] != 0) begun[s] = 1;
      if (now[s] == 0 && begun[s] != 0) ended[s] = 1;
    }
    std::vector<std::uint8_t> longer(a.states(), 0);
    for (std::size_t s = 0; s < a.states(); ++s)
      for (std::int32_t c = 0; c < a.classes && longer[s] == 0; ++c)
        if (const std::int32_t target = a.next[s * static_cast<std::size_t>(a.classes) + static_cast<std::size_t>(c)];
            target != CharacterAutomaton::dead)
          longer[s] = now[static_cast<std::size_t>(target)];
    if (now == longer) return true;  // for all longer ones as well
    now = std::move(longer);
  }
  return true;
}

CharacterAutomaton multiplied(const CharacterAutomaton& a, schema::Counts length) {
  const bool bounded = length.most != schema::unlimited;
  const std::int64_t top = bounded ? length.most : length.least;  // unbounded: `top` or more
  CharacterAutomaton result;
  result.starts = a.starts;
  result.class_of = a.class_of;
  result.classes = a.classes;
  check_limits(static_cast<std::size_t>(top), most_automaton_states, "characters of a string with a pattern");
  check_limits(a.states() * static_cast<std::size_t>(top + 1), 20 * most_automaton_states,
               "states of a pattern with its lengths");
  const auto width = static_cast<std::int32_t>(a.states());
  for (std::int64_t count = 0; count <= top; ++count)
    for (std::int32_t s = 0; s < width; ++s) {
      result.accepts.push_back(a.accepts[static_cast<std::size_t>(s)] != 0 && count >= length.least ? 1 : 0);
      const std::int64_t above = count < top ? count + 1 : bounded ? -1 : top;
      for (std::int32_t c = 0; c < a.classes; ++c) {
        const std::int32_t target =
            above < 0 ? CharacterAutomaton::dead : a.next[static_cast<std::size_t>(s * a.classes + c)];
        result.next.push_back(target == CharacterAutomaton::dead ? CharacterAutomaton::dead
                                                                 : static_cast<std::int32_t>(above) * width + target);
      }
    }
  return finished(std::move(result));
}

}  // namespace

CountedText counted(CharacterAutomaton a, schema::Counts length) {
  if (length.most != schema::unlimited && length.most < length.least) return {};
  if (a.empty() || (length.least == 0 && length.most == schema::unlimited)) return {std::move(a), {}};
  const bool fully_free = a.states() == 1 && a.free[0] != 0;
  if (fully_free) return {std::move(a), length};
  // Lengths that repeat do so with a period below the number of states.
  const std::int64_t period = 2 * static_cast<std::int64_t>(a.states()) + 2;
  const std::int64_t far = std::max(length.least, length.most) + period;
  if (far * static_cast<std::int64_t>(a.states()) < 2000000 && without_gaps(a, far)) {
    const bool possible = (length.most == schema::unlimited || a.least_left[0] <= length.most) &&
                          (a.most_left[0] == schema::unlimited || a.most_left[0] >= length.least);
    if (!possible) return {};
    return {std::move(a), length};
  }
  return {multiplied(a, length), {}};
}

}  // namespace retort::grammar
