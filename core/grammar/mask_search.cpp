// How the mask of a state is found (grammar.h): which parts of the vocabulary have to be walked at all.
#include <array>

#include "grammar/class_trie.h"
#include "grammar/grammar.h"
#include "grammar/mask_builder.h"
#include "grammar/text_reader.h"

namespace retort::grammar {

void Grammar::walk(const TokenTrie& trie, StateId state, MaskBuilder& found) {
  walk(trie, 0, trie.nodes().size(), state, found);
}

/// Where a text is free behind its first byte (a key that no name begins like), the plain tokens need no walk.
void Grammar::walk_by_first_byte(StateId state, MaskBuilder& found) {
  const auto& all = vocabulary_->all().nodes();
  std::array<bool, 256> free{};
  std::vector<std::uint8_t> free_bytes, others_bytes;
  for (std::size_t i = 0; i < all.size(); i += all[i].size()) {
    const std::uint8_t byte = all[i].byte();
    if (byte >= 0x80 || vocabulary_->plain_mask(byte).empty()) continue;
    const StateId next = automaton_->step(state, byte);
    free[byte] = next != no_state && automaton_->free_characters(next) >= vocabulary_->most_plain_characters();
    (free[byte] ? free_bytes : others_bytes).push_back(byte);
  }
  if (others_bytes.size() < free_bytes.size()) {
    found.add(vocabulary_->plain_ascii());
    for (const std::uint8_t byte : others_bytes) found.remove(vocabulary_->plain_mask(byte));
  } else {
    for (const std::uint8_t byte : free_bytes) found.add(vocabulary_->plain_mask(byte));
  }
  for (std::size_t i = 0; i < all.size(); i += all[i].size())
    if (!free[all[i].byte()] && automaton_->step(state, all[i].byte()) != no_state)
      walk(vocabulary_->all(), i, i + all[i].size(), state, found);
  if (free_bytes.empty()) return;
  const auto& others = vocabulary_->others().nodes();
  for (std::size_t i = 0; i < others.size(); i += others[i].size())
    if (free[others[i].byte()]) walk(vocabulary_->others(), i, i + others[i].size(), state, found);
}

void Grammar::walk(const TokenTrie& trie, std::size_t begin, std::size_t end, StateId state, MaskBuilder& found) {
  if (automaton_->limited()) return walk_what_was_said(trie, begin, end, automaton_->reader(state), found);
  std::array<StateId, 256> path;
  path[0] = state;
  const auto& nodes = trie.nodes();
  for (std::size_t i = begin; i < end; ++walked_) {
    const TokenTrie::Node node = nodes[i];
    const StateId next = automaton_->step(path[node.depth() - 1], node.byte());
    if (next == no_state) {
      i += node.size();
      continue;
    }
    path[node.depth()] = next;
    if (const TokenId token = node.token(); token >= 0) found.add(token);
    ++i;
  }
}

/// The same where texts are parts of what was said.
void Grammar::walk_what_was_said(const TokenTrie& trie, std::size_t begin, std::size_t end, const Reader& from,
                                 MaskBuilder& found) {
  path_[0] = from;
  const auto& nodes = trie.nodes();
  for (std::size_t i = begin; i < end; ++walked_) {
    const TokenTrie::Node node = nodes[i];
    Reader& next = path_[node.depth()];
    next = automaton_->step(path_[node.depth() - 1], node.byte());
    if (next.state == no_state) {
      i += node.size();
      continue;
    }
    met_said_ = met_said_ || next.state == inside_said || automaton_->in_said(next.state);
    if (const TokenId token = node.token(); token >= 0) found.add(token);
    ++i;
  }
}

/// Inside a text that is free for `free` characters.
void Grammar::walk_beside_slices(StateId state, std::uint32_t free, MaskBuilder& found) {
  const auto& slices = vocabulary_->slices();
  const auto fitting = std::find_if(slices.begin(), slices.end(),
                                    [&](const Vocabulary::Slice& slice) { return slice.characters > free; });
  if (fitting != slices.begin()) found.add(std::prev(fitting)->mask);
  const std::uint32_t most = automaton_->most_characters(state);
  for (auto slice = fitting; slice != slices.end() && slice->least <= most; ++slice) walk(slice->trie, state, found);
  walk(automaton_->refuses_controls(state) ? vocabulary_->others_without_controls() : vocabulary_->others(), state,
       found);
}

/// Inside a text that may be anything: only what stands behind its closing quote is to be looked at.
void Grammar::close_free_text(StateId state, MaskBuilder& found) {
  found.add(vocabulary_->inside_free());
  const StateId behind = automaton_->step(state, '"');
  if (behind == no_state) return;
  const Vocabulary::Closing& closing = vocabulary_->closing_free();
  found.add(closing.at_end);
  MaskBuilder groups(closing.groups.size() / 64 + 1);
  walk(*closing.trie, behind, groups);
  const TokenMask allowed = groups.finish({});
  for (std::size_t group = 0; group < closing.groups.size(); ++group)
    if (allowed.allows(static_cast<TokenId>(group))) found.add(closing.groups[group]);
}

const ClassTrie* Grammar::classes_of(const CountedText& text) {
  std::unique_ptr<const ClassTrie>& trie = class_tries_[&text];
  if (trie == nullptr) {
    trie = std::make_unique<const ClassTrie>(*vocabulary_, text.automaton);
    mask_bytes_ += trie->bytes();
  }
  return trie->nodes().empty() ? nullptr : trie.get();
}

void Grammar::find_tokens(StateId state, MaskBuilder& found) {
  constexpr std::size_t long_walk = 30000;  // nodes; what a pass over the vocabulary saves from the third mask on
  if (automaton_->in_said(state)) {
    met_said_ = true;
    return walk(vocabulary_->all(), state, found);
  }
  if (automaton_->anything_quoted(state)) return close_free_text(state, found);
  const CountedText* text = nullptr;
  const Configuration* at = automaton_->quoted_text(state, text);
  if (at != nullptr && class_tries_.contains(text)) {
    if (const ClassTrie* trie = classes_of(*text); trie != nullptr) {
      std::array<Configuration, 256> path;
      path[0] = *at;
      for (std::size_t i = 0; i < trie->nodes().size();) {
        const ClassTrie::Node& node = trie->nodes()[i];
        Configuration next = path[node.depth - 1];
        if (!read_character(*text, node.character_class, next)) {
          i += node.size;
          continue;
        }
        path[node.depth] = next;
        found.add(trie->tokens(node));
        ++i;
      }
      return walk(vocabulary_->others_without_controls(), state, found);
    }
  }
  walked_ = 0;
  if (const std::uint32_t free = automaton_->free_characters(state); free > 0)
    walk_beside_slices(state, free, found);
  else
    walk_by_first_byte(state, found);
  if (at != nullptr && walked_ > long_walk) class_tries_.try_emplace(text);
}

TokenMask Grammar::computed(StateId state) {
  MaskBuilder found(vocabulary_->words());
  met_said_ = false;
  find_tokens(state, found);
  for (const TokenId token : vocabulary_->long_tokens())
    if (step(state, token) != no_state) found.add(token);
  met_said_ = met_said_ || (automaton_->limited() && !vocabulary_->long_tokens().empty());
  found.add(automaton_->tokens(state));
  if (automaton_->accepts(state)) found.add(program_->ends);
  return found.finish(vocabulary_->twins());
}

}  // namespace retort::grammar
