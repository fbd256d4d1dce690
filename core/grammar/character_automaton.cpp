// See character_automaton.h. Products and measures; expressions become automata in expression_automaton.cpp, lengths
// are counted_text.cpp's.
#include "grammar/character_automaton.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <stdexcept>

#include "grammar/limits.h"
#include "schema/code_points.h"

namespace retort::grammar {
namespace {

constexpr std::int32_t dead = CharacterAutomaton::dead;

std::int32_t cell(const CharacterAutomaton& a, std::int32_t state, std::int32_t column) {
  return state == dead || column == dead ? dead : a.next[static_cast<std::size_t>(state * a.classes + column)];
}

/// Characters at once: the intervals of both, each with a pair of classes.
struct SharedClasses {
  std::vector<std::uint32_t> starts;
  std::vector<std::int32_t> class_of;
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
};

SharedClasses shared_classes(const CharacterAutomaton& a, const CharacterAutomaton& b) {
  SharedClasses shared;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> known;
  for (std::size_t i = 0, j = 0; i < a.starts.size() && j < b.starts.size();) {
    shared.starts.push_back(std::max(a.starts[i], b.starts[j]));
    const std::pair pair(a.class_of[i], b.class_of[j]);
    if (pair.first == dead && pair.second == dead) {
      shared.class_of.push_back(dead);
    } else {
      const auto [found, fresh] = known.emplace(pair, static_cast<std::int32_t>(shared.pairs.size()));
      if (fresh) shared.pairs.push_back(pair);
      shared.class_of.push_back(found->second);
    }
    const std::uint32_t end_a = i + 1 < a.starts.size() ? a.starts[i + 1] : UINT32_MAX;
    const std::uint32_t end_b = j + 1 < b.starts.size() ? b.starts[j + 1] : UINT32_MAX;
    if (end_a <= end_b) ++i;
    if (end_b <= end_a) ++j;
  }
  return shared;
}

enum class Join : std::uint8_t { both, either };

/// Whether it is every_text().
bool takes_all(const CharacterAutomaton& a) {
  return a.states() == 1 && a.free.size() == 1 && a.free[0] != 0;
}

CharacterAutomaton product(const CharacterAutomaton& a, const CharacterAutomaton& b, Join join) {
  CharacterAutomaton result;
  if (join == Join::both && (a.empty() || b.empty())) return result;
  if (a.empty() || (join == Join::both && takes_all(a))) return b;
  if (b.empty() || (join == Join::both && takes_all(b))) return a;
  const SharedClasses shared = shared_classes(a, b);
  result.starts = shared.starts;
  result.class_of = shared.class_of;
  result.classes = static_cast<std::int32_t>(shared.pairs.size());
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> known{{{0, 0}, 0}};
  std::vector<std::pair<std::int32_t, std::int32_t>> list{{0, 0}};
  const auto accepting = [](const CharacterAutomaton& one, std::int32_t state) {
    return state != dead && one.accepts[static_cast<std::size_t>(state)] != 0;
  };
  for (std::size_t i = 0; i < list.size(); ++i) {
    check_limits(list.size(), most_automaton_states, "states of an automaton");
    const auto [left, right] = list[i];
    const bool ends_left = accepting(a, left), ends_right = accepting(b, right);
    result.accepts.push_back(join == Join::both ? ends_left && ends_right : ends_left || ends_right);
    for (const auto& [column_a, column_b] : shared.pairs) {
      const std::pair target(cell(a, left, column_a), cell(b, right, column_b));
      const bool gone = join == Join::both ? target.first == dead || target.second == dead
                                           : target.first == dead && target.second == dead;
      if (gone) {
        result.next.push_back(dead);
        continue;
      }
      const auto [found, fresh] = known.emplace(target, static_cast<std::int32_t>(list.size()));
      if (fresh) list.push_back(target);
      result.next.push_back(found->second);
    }
  }
  return finished(std::move(result));
}

/// The states that lead to each, once for each class that does.
class Sources {
 public:
  explicit Sources(const CharacterAutomaton& a) : begin_(a.states() + 2, 0) {
    const auto width = static_cast<std::size_t>(a.classes);
    for (const std::int32_t target : a.next)
      if (target != dead) ++begin_[static_cast<std::size_t>(target) + 2];
    for (std::size_t s = 2; s < begin_.size(); ++s) begin_[s] += begin_[s - 1];
    list_.resize(begin_.back());
    for (std::size_t i = 0; i < a.next.size(); ++i)
      if (a.next[i] != dead)
        list_[begin_[static_cast<std::size_t>(a.next[i]) + 1]++] = static_cast<std::int32_t>(i / width);
  }
  std::span<const std::int32_t> of(std::size_t state) const {
    return std::span(list_).subspan(begin_[state], begin_[state + 1] - begin_[state]);
  }

 private:
  std::vector<std::size_t> begin_;
  std::vector<std::int32_t> list_;
};

/// Which states lead to an accepting one, nearest first: least_left.
std::vector<std::int64_t> distances(const CharacterAutomaton& a, const Sources& sources) {
  std::vector<std::int64_t> distance(a.states(), -1);
  std::vector<std::size_t> queue;
  queue.reserve(a.states());
  for (std::size_t s = 0; s < a.states(); ++s)
    if (a.accepts[s] != 0) distance[s] = 0, queue.push_back(s);
  for (std::size_t i = 0; i < queue.size(); ++i)
    for (const std::int32_t source : sources.of(queue[i]))
      if (auto& known = distance[static_cast<std::size_t>(source)]; known < 0)
        known = distance[queue[i]] + 1, queue.push_back(static_cast<std::size_t>(source));
  return distance;
}

/// Keeps the states that `kept` numbers (dead: not), in that numbering of `count` states.
CharacterAutomaton renumbered(const CharacterAutomaton& a, const std::vector<std::int32_t>& kept, std::size_t count) {
  CharacterAutomaton result;
  result.starts = a.starts;
  result.class_of = a.class_of;
  result.classes = a.classes;
  result.accepts.assign(count, 0);
  result.next.assign(count * static_cast<std::size_t>(a.classes), dead);
  for (std::size_t s = 0; s < a.states(); ++s) {
    if (kept[s] == dead) continue;
    result.accepts[static_cast<std::size_t>(kept[s])] = a.accepts[s];
    for (std::int32_t c = 0; c < a.classes; ++c) {
      const std::int32_t target = cell(a, static_cast<std::int32_t>(s), c);
      result.next[static_cast<std::size_t>(kept[s] * a.classes + c)] =
          target == dead ? dead : kept[static_cast<std::size_t>(target)];
    }
  }
  return result;
}

CharacterAutomaton trimmed(const CharacterAutomaton& a) {
  if (a.empty()) return {};
  const std::vector<std::int64_t> distance = distances(a, Sources(a));
  if (distance[0] < 0) return {};
  std::vector<std::int32_t> kept(a.states(), dead);
  std::vector<std::int32_t> list{0};
  kept[0] = 0;
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::int32_t c = 0; c < a.classes; ++c) {
      const std::int32_t target = cell(a, list[i], c);
      if (target == dead || distance[static_cast<std::size_t>(target)] < 0) continue;
      auto& number = kept[static_cast<std::size_t>(target)];
      if (number == dead) number = static_cast<std::int32_t>(list.size()), list.push_back(target);
    }
  return renumbered(a, kept, list.size());
}

/// Moore's algorithm; long chains would make it slow, and have little to join.
CharacterAutomaton minimal(const CharacterAutomaton& a) {
  constexpr std::size_t most_states = 400, most_rounds = 24;
  if (a.states() < 2 || a.states() > most_states) return a;
  std::vector<std::int32_t> group(a.accepts.begin(), a.accepts.end()), refined(a.states());
  const auto width = static_cast<std::size_t>(a.classes);
  std::vector<std::int32_t> signatures(a.states() * (width + 1));  // of a state: its group, and its targets'
  std::array<std::int32_t, 1024> known;                            // open addressing: states, each the first of a group
  static_assert(known.size() > 2 * most_states);
  std::size_t count = 0;
  for (std::size_t round = 0;; ++round) {
    if (round == most_rounds) return a;
    known.fill(dead);
    std::size_t found = 0;
    for (std::size_t s = 0; s < a.states(); ++s) {
      std::int32_t* signature = &signatures[s * (width + 1)];
      signature[0] = group[s];
      std::size_t place = static_cast<std::size_t>(group[s]);
      for (std::size_t c = 0; c < width; ++c) {
        const std::int32_t target = a.next[s * width + c];
        signature[c + 1] = target == dead ? dead : group[static_cast<std::size_t>(target)];
        place = (place ^ static_cast<std::uint32_t>(signature[c + 1])) * 0x9E3779B97F4A7C15U;
      }
      const auto same = [&](std::int32_t other) {
        return std::equal(signature, signature + width + 1, &signatures[static_cast<std::size_t>(other) * (width + 1)]);
      };
      for (place = place >> 54U;; place = (place + 1) % known.size()) {
        if (known[place] != dead && !same(known[place])) continue;
        const bool fresh = known[place] == dead;
        if (fresh) known[place] = static_cast<std::int32_t>(s);
        refined[s] = fresh ? static_cast<std::int32_t>(found++) : refined[static_cast<std::size_t>(known[place])];
        break;
      }
    }
    std::swap(group, refined);
    if (found == count) break;
    count = found;
  }
  return renumbered(a, group, count);  // state 0 is seen first and stays 0
}

/// Joins classes whose columns are equal, and neighbouring intervals of one class.
void join_classes(CharacterAutomaton& a) {
  std::map<std::vector<std::int32_t>, std::int32_t> known;
  std::vector<std::int32_t> renamed;
  for (std::int32_t c = 0; c < a.classes; ++c) {
    std::vector<std::int32_t> column;
    for (std::size_t s = 0; s < a.states(); ++s) column.push_back(cell(a, static_cast<std::int32_t>(s), c));
    const bool unused = std::all_of(column.begin(), column.end(), [](std::int32_t target) { return target == dead; });
    renamed.push_back(unused ? dead : known.emplace(column, static_cast<std::int32_t>(known.size())).first->second);
  }
  CharacterAutomaton result;
  result.classes = static_cast<std::int32_t>(known.size());
  result.accepts = a.accepts;
  result.next.assign(a.states() * known.size(), dead);
  for (const auto& [column, number] : known)
    for (std::size_t s = 0; s < a.states(); ++s)
      result.next[s * known.size() + static_cast<std::size_t>(number)] = column[s];
  for (std::size_t i = 0; i < a.starts.size(); ++i) {
    const std::int32_t number = a.class_of[i] == dead ? dead : renamed[static_cast<std::size_t>(a.class_of[i])];
    if (!result.class_of.empty() && result.class_of.back() == number) continue;
    result.starts.push_back(a.starts[i]);
    result.class_of.push_back(number);
  }
  a = std::move(result);
}

/// [S]: characters to the farthest accepting state. Every state leads to an accepting one, so a cycle that a state
/// reaches makes its texts as long as one likes: what is not left when leaves are taken away, one after the other.
std::vector<std::int64_t> farthest(const CharacterAutomaton& a, const Sources& sources) {
  std::vector<std::int32_t> open(a.states(), 0);  // targets that are not measured yet
  for (std::size_t i = 0; i < a.next.size(); ++i)
    if (a.next[i] != dead) ++open[i / static_cast<std::size_t>(a.classes)];
  std::vector<std::int64_t> most(a.states(), schema::unlimited);
  std::vector<std::int64_t> below(a.states(), 0);
  std::vector<std::size_t> queue;
  for (std::size_t s = 0; s < a.states(); ++s)
    if (open[s] == 0) queue.push_back(s);
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::size_t state = queue[i];
    most[state] = below[state];
    for (const std::int32_t source : sources.of(state)) {
      const auto index = static_cast<std::size_t>(source);
      below[index] = std::max(below[index], most[state] + 1);
      if (--open[index] == 0) queue.push_back(index);
    }
  }
  return most;
}

}  // namespace

std::pair<std::size_t, std::size_t> CharacterAutomaton::intervals(std::uint32_t first, std::uint32_t last) const {
  const auto index = [&](std::uint32_t character) {
    return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), character) - starts.begin());
  };
  return {index(first) - 1, index(last)};
}

std::int32_t CharacterAutomaton::step(std::int32_t state, std::uint32_t character) const {
  if (starts.empty() || character > 0x10FFFF) return dead;
  if (character < ascii.size()) return cell(*this, state, ascii[character]);
  return cell(*this, state, class_of[intervals(character, character).first]);
}

bool CharacterAutomaton::contains(const std::string& text) const {
  if (empty()) return false;
  std::int32_t state = 0;
  for (std::size_t at = 0; at < text.size() && state != dead;) state = step(state, schema::next_character(text, at));
  return state != dead && accepts[static_cast<std::size_t>(state)] != 0;
}

CharacterAutomaton finished(CharacterAutomaton automaton) {
  CharacterAutomaton result = minimal(trimmed(automaton));
  if (result.empty()) return {};
  join_classes(result);
  const Sources sources(result);
  result.least_left = distances(result, sources);
  result.most_left = farthest(result, sources);
  result.ascii.resize(128);
  for (std::size_t i = 0; i < result.starts.size() && result.starts[i] < result.ascii.size(); ++i)
    std::fill(result.ascii.begin() + result.starts[i], result.ascii.end(), result.class_of[i]);
  result.free.assign(result.states(), 0);
  for (std::size_t s = 0; s < result.states(); ++s) {
    bool loops = result.accepts[s] != 0;
    for (std::size_t i = 0; i < result.starts.size() && loops; ++i) {
      const bool surrogates =
          result.starts[i] == 0xD800 && i + 1 < result.starts.size() && result.starts[i + 1] == 0xE000;
      loops =
          surrogates || cell(result, static_cast<std::int32_t>(s), result.class_of[i]) == static_cast<std::int32_t>(s);
    }
    result.free[s] = loops ? 1 : 0;
  }
  return result;
}

CharacterAutomaton every_text() {
  static const CharacterAutomaton every = [] {
    CharacterAutomaton a;
    a.starts = {0, 0xD800, 0xE000};
    a.class_of = {0, dead, 0};
    a.classes = 1;
    a.next = {0};
    a.accepts = {1};
    return finished(std::move(a));
  }();
  return every;
}

CharacterAutomaton from_texts(const std::vector<std::string>& texts) {
  std::map<std::uint32_t, std::int32_t> letters;
  std::vector<std::map<std::int32_t, std::int32_t>> nodes(1);
  CharacterAutomaton a;
  a.accepts.push_back(0);
  for (const std::string& text : texts) {
    std::size_t node = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::uint32_t character = schema::next_character(text, at);
      const std::int32_t letter = letters.emplace(character, static_cast<std::int32_t>(letters.size())).first->second;
      const auto [found, fresh] = nodes[node].emplace(letter, static_cast<std::int32_t>(nodes.size()));
      node = static_cast<std::size_t>(found->second);
      if (fresh) nodes.emplace_back(), a.accepts.push_back(0);
      check_limits(nodes.size(), std::size_t{1} << 20U, "characters of the values of an enum");
    }
    a.accepts[node] = 1;
  }
  if (texts.empty()) return {};
  a.classes = static_cast<std::int32_t>(letters.size());
  a.starts = {0};
  a.class_of = {dead};
  for (const auto& [character, letter] : letters) {
    if (a.starts.back() == character)
      a.class_of.back() = letter;
    else
      a.starts.push_back(character), a.class_of.push_back(letter);
    a.starts.push_back(character + 1);
    a.class_of.push_back(dead);
  }
  a.next.assign(nodes.size() * letters.size(), dead);
  for (std::size_t n = 0; n < nodes.size(); ++n)
    for (const auto& [letter, target] : nodes[n])
      a.next[n * letters.size() + static_cast<std::size_t>(letter)] = target;
  return finished(std::move(a));
}

CharacterAutomaton intersection(const CharacterAutomaton& a, const CharacterAutomaton& b) {
  return product(a, b, Join::both);
}

CharacterAutomaton united(const CharacterAutomaton& a, const CharacterAutomaton& b) {
  return product(a, b, Join::either);
}

CharacterAutomaton complement(const CharacterAutomaton& a) {
  if (a.empty()) return every_text();
  CharacterAutomaton whole = every_text();
  // What `a` does not take goes to a last state that takes everything.
  const SharedClasses shared = shared_classes(a, whole);
  CharacterAutomaton result;
  result.starts = shared.starts;
  result.class_of = shared.class_of;
  result.classes = static_cast<std::int32_t>(shared.pairs.size());
  const auto sink = static_cast<std::int32_t>(a.states());
  for (std::int32_t s = 0; s <= sink; ++s) {
    result.accepts.push_back(s == sink || a.accepts[static_cast<std::size_t>(s)] == 0 ? 1 : 0);
    for (const auto& [column, any] : shared.pairs) {
      const std::int32_t target = s == sink ? dead : cell(a, s, column);
      result.next.push_back(any == dead ? dead : target == dead ? sink : target);
    }
  }
  return finished(std::move(result));
}

}  // namespace retort::grammar
