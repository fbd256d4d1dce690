// See text_facts.h.
#include "grammar/text_facts.h"

#include <algorithm>

namespace retort::grammar {
namespace {

constexpr std::int32_t dead_state = CharacterAutomaton::dead;

std::int32_t group_of(const CharacterAutomaton& automaton, std::uint32_t byte) {
  constexpr std::int32_t alone = INT32_MIN, of_intervals = 1 << 28;
  const auto by_itself = alone + static_cast<std::int32_t>(byte);
  if (byte < 0x20 || byte == '"' || byte == '\\') return by_itself;
  if (byte < 0x80) return automaton.ascii[byte];
  if (byte < 0xC2 || byte > 0xF4) return TextFacts::dead_group;
  const std::uint32_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4, bits = byte & (0xFFU >> (length + 1));
  const std::uint32_t size = 1U << (6 * (length - 1)), least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (bits * size < least || (bits + 1) * size - 1 > 0x10FFFF) return by_itself;
  const auto [begin, end] = automaton.intervals(bits * size, (bits + 1) * size - 1);
  return end == begin + 1 ? of_intervals + static_cast<std::int32_t>(4 * begin + length - 1) : by_itself;
}

/// The classes of plain characters; whether none of them is dead.
bool plain_classes(const CharacterAutomaton& automaton, std::vector<std::int32_t>& classes) {
  constexpr std::pair<std::uint32_t, std::uint32_t> plain[] = {{0x20, 0x21},   {0x23, 0x5B},     {0x5D, 0x7E},
                                                               {0x80, 0x2027}, {0x202A, 0xD7FF}, {0xE000, 0x10FFFF}};
  for (const auto& [first, last] : plain) {
    const auto [begin, end] = automaton.intervals(first, last);
    classes.insert(classes.end(), automaton.class_of.begin() + static_cast<std::ptrdiff_t>(begin),
                   automaton.class_of.begin() + static_cast<std::ptrdiff_t>(end));
  }
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  return !classes.empty() && classes.front() != dead_state;
}

}  // namespace

TextFacts::TextFacts(const CharacterAutomaton& automaton) : groups{}, same_group{}, free(automaton.states(), 0) {
  groups.fill(dead_group);
  for (std::uint32_t byte = 0; byte < groups.size(); ++byte) same_group[byte] = static_cast<std::uint8_t>(byte);
  if (automaton.empty()) return;
  for (std::uint32_t byte = 0; byte < groups.size(); ++byte) groups[byte] = group_of(automaton, byte);
  std::vector<std::pair<std::int32_t, std::uint8_t>> order;
  for (std::uint32_t byte = 0; byte < groups.size(); ++byte)
    order.emplace_back(groups[byte], static_cast<std::uint8_t>(byte));
  std::sort(order.begin(), order.end());
  for (std::size_t begin = 0, i = 0; i < order.size(); ++i) {
    const bool last = i + 1 == order.size() || order[i + 1].first != order[i].first;
    same_group[order[i].second] = order[last ? begin : i + 1].second;
    if (last) begin = i + 1;
  }
  std::vector<std::int32_t> classes;
  if (!plain_classes(automaton, classes)) return;
  constexpr int most_rounds = 64;  // a long chain of states that are not free is not worth more
  free.assign(automaton.states(), 1);
  bool changed = true;
  for (int round = 0; changed && round < most_rounds; ++round) {
    changed = false;
    for (std::size_t s = automaton.states(); s-- > 0;) {
      if (free[s] == 0) continue;
      const bool stays = std::all_of(classes.begin(), classes.end(), [&](std::int32_t column) {
        const std::int32_t target =
            automaton.next[s * static_cast<std::size_t>(automaton.classes) + static_cast<std::size_t>(column)];
        return target != dead_state && free[static_cast<std::size_t>(target)] != 0;
      });
      if (!stays) free[s] = 0, changed = true;
    }
  }
  if (changed) free.assign(automaton.states(), 0);
  for (std::size_t s = 0; s < automaton.states(); ++s)
    if (free[s] != 0)
      most_left_to_end = std::max(most_left_to_end, static_cast<std::uint32_t>(automaton.least_left[s]));
}

}  // namespace retort::grammar
