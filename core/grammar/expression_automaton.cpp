// Regular expressions to automata: Thompson's construction over sets of characters, then subsets. A pattern is searched
// for, so the text before and behind a match is free.
#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "grammar/character_automaton.h"
#include "grammar/limits.h"

namespace retort::grammar {
namespace {

using schema::CodePointSet;
using schema::Expression;
using ExpressionKind = Expression::Kind;

constexpr std::size_t most_nodes = 200000;

struct Edge {
  enum class Kind : std::uint8_t { empty, characters, begin, end } kind;
  std::int32_t target;
  std::size_t set;  ///< index into the sets, of characters
};

class Construction {
 public:
  explicit Construction(const Expression& expression) {
    const std::int32_t before = node(), behind = node();
    const std::size_t all = set_of(schema::complement({}));
    edge(before, {Edge::Kind::characters, before, all});
    const auto [first, last] = build(expression);
    edge(before, {Edge::Kind::empty, first, 0});
    edge(last, {Edge::Kind::empty, behind, 0});
    edge(behind, {Edge::Kind::characters, behind, all});
    start_ = before;
    match_ = behind;
  }

  CharacterAutomaton determinized() {
    make_classes();
    CharacterAutomaton result;
    result.starts = starts_;
    result.class_of = class_of_;
    result.classes = static_cast<std::int32_t>(members_.size());
    std::map<std::vector<std::int32_t>, std::int32_t> known;
    std::vector<std::vector<std::int32_t>> list{closure({start_}, true, false)};
    known[list[0]] = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      check_limits(list.size(), most_automaton_states, "states of a pattern");
      const auto ended = closure(list[i], i == 0, true);
      result.accepts.push_back(std::binary_search(ended.begin(), ended.end(), match_) ? 1 : 0);
      // A match that is over needs nothing more: whatever follows is as good.
      for (const std::vector<std::size_t>& sets : members_) {
        std::vector<std::int32_t> targets;
        for (const std::int32_t from : list[i])
          for (const Edge& edge : edges_[static_cast<std::size_t>(from)])
            if (edge.kind == Edge::Kind::characters && std::binary_search(sets.begin(), sets.end(), edge.set))
              targets.push_back(edge.target);
        std::vector<std::int32_t> next = closure(std::move(targets), false, false);
        if (std::binary_search(next.begin(), next.end(), match_)) next = {match_};
        const auto [found, fresh] = known.emplace(next, static_cast<std::int32_t>(list.size()));
        if (fresh) list.push_back(std::move(next));
        result.next.push_back(found->second);
      }
    }
    return finished(std::move(result));
  }

 private:
  std::int32_t node() {
    check_limits(edges_.size(), most_nodes, "parts of a pattern");
    edges_.emplace_back();
    return static_cast<std::int32_t>(edges_.size() - 1);
  }
  void edge(std::int32_t from, Edge edge) { edges_[static_cast<std::size_t>(from)].push_back(edge); }
  std::size_t set_of(const CodePointSet& set) {
    const auto found = std::find(sets_.begin(), sets_.end(), set);
    if (found != sets_.end()) return static_cast<std::size_t>(found - sets_.begin());
    sets_.push_back(set);
    return sets_.size() - 1;
  }

  std::pair<std::int32_t, std::int32_t> build(const Expression& expression) {
    const std::int32_t first = node(), last = node();
    const auto connect = [&](Edge::Kind kind, std::size_t set = 0) { edge(first, {kind, last, set}); };
    switch (expression.kind) {
      case ExpressionKind::characters:
        connect(Edge::Kind::characters, set_of(expression.characters));
        break;
      case ExpressionKind::begin:
        connect(Edge::Kind::begin);
        break;
      case ExpressionKind::end:
        connect(Edge::Kind::end);
        break;
      case ExpressionKind::sequence:
      case ExpressionKind::group:
        chain(expression.parts, first, last);
        break;
      case ExpressionKind::alternatives:
        for (const Expression& part : expression.parts) chain({part}, first, last);
        break;
      case ExpressionKind::repeat:
        repeat(expression, first, last);
        break;
      default:
        throw std::invalid_argument("look-around, \\b and references have no automaton");
    }
    return {first, last};
  }

  void chain(const std::vector<Expression>& parts, std::int32_t first, std::int32_t last) {
    std::int32_t at = first;
    for (const Expression& part : parts) {
      const auto [begin, end] = build(part);
      edge(at, {Edge::Kind::empty, begin, 0});
      at = end;
    }
    edge(at, {Edge::Kind::empty, last, 0});
  }

  void repeat(const Expression& expression, std::int32_t first, std::int32_t last) {
    std::int32_t at = first;
    for (std::int64_t i = 0; i < expression.least; ++i) {
      const auto [begin, end] = build(expression.parts.front());
      edge(at, {Edge::Kind::empty, begin, 0});
      at = end;
    }
    if (expression.most == Expression::unbounded) {
      const auto [begin, end] = build(expression.parts.front());
      edge(at, {Edge::Kind::empty, begin, 0});
      edge(end, {Edge::Kind::empty, begin, 0});
      edge(end, {Edge::Kind::empty, last, 0});
    }
    for (std::int64_t i = expression.least; i < expression.most; ++i) {
      const auto [begin, end] = build(expression.parts.front());
      edge(at, {Edge::Kind::empty, last, 0});
      edge(at, {Edge::Kind::empty, begin, 0});
      at = end;
    }
    edge(at, {Edge::Kind::empty, last, 0});
  }

  /// Sorted.
  std::vector<std::int32_t> closure(std::vector<std::int32_t> nodes, bool at_begin, bool at_end) {
    seen_.resize(edges_.size(), 0);
    ++closures_;
    const auto first_time = [&](std::int32_t node) {
      return std::exchange(seen_[static_cast<std::size_t>(node)], closures_) != closures_;
    };
    std::erase_if(nodes, [&](std::int32_t node) { return !first_time(node); });
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (const Edge& edge : edges_[static_cast<std::size_t>(nodes[i])]) {
        const bool passes = edge.kind == Edge::Kind::empty || (edge.kind == Edge::Kind::begin && at_begin) ||
                            (edge.kind == Edge::Kind::end && at_end);
        if (passes && first_time(edge.target)) nodes.push_back(edge.target);
      }
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }

  /// Characters that are in the same sets share a class.
  void make_classes() {
    std::map<std::uint32_t, std::vector<std::pair<std::size_t, bool>>> borders{{0, {}}, {0xD800, {}}, {0xE000, {}}};
    for (std::size_t i = 0; i < sets_.size(); ++i)
      for (const auto& [first, last] : sets_[i]) {
        borders[first].emplace_back(i, true);
        borders[last + 1].emplace_back(i, false);
      }
    std::set<std::size_t> inside;
    std::map<std::vector<std::size_t>, std::int32_t> known;
    for (const auto& [start, changes] : borders) {
      for (const auto& [set, enters] : changes)
        if (!enters) inside.erase(set);
      for (const auto& [set, enters] : changes)
        if (enters) inside.insert(set);
      const std::vector<std::size_t> key(inside.begin(), inside.end());
      starts_.push_back(start);
      if (key.empty() || (start >= 0xD800 && start < 0xE000)) {  // surrogates are no characters
        class_of_.push_back(CharacterAutomaton::dead);
        continue;
      }
      const auto [found, fresh] = known.emplace(key, static_cast<std::int32_t>(members_.size()));
      if (fresh) members_.push_back(key);
      class_of_.push_back(found->second);
    }
  }

  std::vector<std::vector<Edge>> edges_;
  std::vector<CodePointSet> sets_;
  std::vector<std::uint64_t> seen_;  ///< by node: the last closure that it was in
  std::uint64_t closures_ = 0;
  std::int32_t start_ = 0, match_ = 0;
  std::vector<std::uint32_t> starts_;
  std::vector<std::int32_t> class_of_;
  std::vector<std::vector<std::size_t>> members_;  ///< of each class: the sets that it is in
};

}  // namespace

CharacterAutomaton from_expression(const Expression& expression) {
  return Construction(expression).determinized();
}

CharacterAutomaton from_pattern(const std::string& pattern) {
  return from_expression(schema::parse_regular_expression(pattern));
}

}  // namespace retort::grammar
