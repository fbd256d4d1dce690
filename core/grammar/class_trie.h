// The plain tokens of a vocabulary as one automaton sees them: characters of a class are alike to it, so thousands of
// tokens share a node, and a mask that would walk most of the vocabulary's trie walks some hundred nodes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grammar/character_automaton.h"
#include "grammar/vocabulary.h"

namespace retort::grammar {

/// Immutable.
class ClassTrie {
 public:
  /// In depth-first order, as TokenTrie's.
  struct Node {
    std::int32_t character_class = 0;
    std::uint32_t depth = 0;  ///< from 1
    std::uint32_t size = 1;   ///< nodes of the subtree, itself included
    std::uint32_t first = 0, last = 0;
  };

  /// Takes a pass over the vocabulary. Without nodes where the automaton tells too many tokens apart to be worth it.
  ClassTrie(const Vocabulary& vocabulary, const CharacterAutomaton& automaton);

  const std::vector<Node>& nodes() const { return nodes_; }
  std::span<const TokenId> tokens(const Node& node) const {
    return std::span(tokens_).subspan(node.first, node.last - node.first);
  }
  std::size_t bytes() const { return nodes_.size() * sizeof(Node) + tokens_.size() * sizeof(TokenId); }

 private:
  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;
};

}  // namespace retort::grammar
