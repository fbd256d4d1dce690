// See class_trie.h.
#include "grammar/class_trie.h"

#include <algorithm>
#include <array>

namespace retort::grammar {
namespace {

constexpr std::size_t most_trie_nodes = 20000;
constexpr std::int32_t most_classes = 64;

/// Nodes as they are met: children by class, 0 for none; the root is node 0.
class Growing {
 public:
  explicit Growing(const CharacterAutomaton& automaton)
      : automaton_(automaton), class_of_(basic_plane), children_(classes(), 0) {
    for (std::size_t i = 0; i < automaton.starts.size() && automaton.starts[i] < basic_plane; ++i) {
      const std::size_t end = i + 1 < automaton.starts.size() ? automaton.starts[i + 1] : basic_plane;
      std::fill(class_of_.begin() + static_cast<std::ptrdiff_t>(automaton.starts[i]),
                class_of_.begin() + static_cast<std::ptrdiff_t>(std::min(end, basic_plane)),
                static_cast<std::int8_t>(automaton.class_of[i]));
    }
  }
  /// False where it has grown too large.
  bool add(const TokenTrie& trie) {
    std::array<Place, 256> path{};
    const auto& nodes = trie.nodes();
    for (std::size_t i = 0; i < nodes.size();) {
      const Place& from = path[nodes[i].depth() - 1];
      Place& to = path[nodes[i].depth()];
      if (!step(from, nodes[i].byte(), to)) {
        i += nodes[i].size();
        continue;
      }
      if (size() > most_trie_nodes) return false;
      if (const TokenId token = nodes[i].token(); token >= 0) found_.emplace_back(to.node, token);
      ++i;
    }
    return true;
  }
  std::size_t size() const { return children_.size() / classes(); }
  std::size_t classes() const { return static_cast<std::size_t>(automaton_.classes); }
  std::uint32_t child(std::uint32_t node, std::size_t column) const { return children_[node * classes() + column]; }
  const std::vector<std::pair<std::uint32_t, TokenId>>& found() const { return found_; }

 private:
  struct Place {
    std::uint32_t node = 0, character = 0;
    int rest = 0;  ///< bytes of the character that are to come
  };

  bool step(const Place& from, std::uint8_t byte, Place& to) {
    to = from;
    if (from.rest > 0) {
      to.character = from.character << 6U | (byte & 0x3FU);
      --to.rest;
    } else {
      to.rest = byte < 0x80 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      to.character = to.rest == 0 ? byte : byte & (0x3FU >> static_cast<unsigned>(to.rest));
    }
    if (to.rest > 0) return true;
    const std::int32_t column = to.character < basic_plane
                                    ? class_of_[to.character]
                                    : automaton_.class_of[automaton_.intervals(to.character, to.character).first];
    if (column == CharacterAutomaton::dead) return false;
    const std::size_t place = from.node * classes() + static_cast<std::size_t>(column);
    if (children_[place] == 0) {
      children_[place] = static_cast<std::uint32_t>(size());
      children_.resize(children_.size() + classes(), 0);
    }
    to.node = children_[place];
    return true;
  }

  const CharacterAutomaton& automaton_;
  static constexpr std::size_t basic_plane = 0x10000;
  std::vector<std::int8_t> class_of_;    ///< [basic_plane]; classes are below most_classes
  std::vector<std::uint32_t> children_;  ///< [nodes, classes]
  std::vector<std::pair<std::uint32_t, TokenId>> found_;
};

}  // namespace

ClassTrie::ClassTrie(const Vocabulary& vocabulary, const CharacterAutomaton& automaton) {
  if (automaton.empty() || automaton.classes > most_classes) return;
  Growing growing(automaton);
  for (const Vocabulary::Slice& slice : vocabulary.slices())
    if (!growing.add(slice.trie)) return;
  struct Open {
    std::uint32_t node, place;
    std::size_t column = 0;
  };
  std::vector<std::uint32_t> place_of(growing.size(), 0);
  std::vector<Open> open{{0, 0}};  // the root has no node of its own
  while (!open.empty()) {
    Open& last = open.back();
    while (last.column < growing.classes() && growing.child(last.node, last.column) == 0) ++last.column;
    if (last.column == growing.classes()) {
      if (open.size() > 1) nodes_[last.place].size = static_cast<std::uint32_t>(nodes_.size()) - last.place;
      open.pop_back();
      continue;
    }
    const std::uint32_t child = growing.child(last.node, last.column);
    const auto place = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({static_cast<std::int32_t>(last.column++), static_cast<std::uint32_t>(open.size())});
    place_of[child] = place;
    open.push_back({child, place});
  }
  for (const auto& [node, token] : growing.found()) ++nodes_[place_of[node]].last;
  std::uint32_t total = 0;
  for (Node& node : nodes_) {
    node.first = total;
    total += node.last;
    node.last = node.first;
  }
  tokens_.resize(total);
  for (const auto& [node, token] : growing.found()) tokens_[nodes_[place_of[node]].last++] = token;
}

}  // namespace retort::grammar
