// See grammar.h. Forced tokens are in forced_tokens.cpp.
#include "grammar/grammar.h"

#include <algorithm>
#include <array>

#include "grammar/class_trie.h"
#include "grammar/mask_builder.h"
#include "grammar/text_reader.h"
#include "grammar/utterance_automaton.h"

namespace retort::grammar {
namespace {

bool has_bit(const std::vector<std::uint64_t>& bits, TokenId token) {
  return (bits[static_cast<std::size_t>(token) / 64] >> (static_cast<std::uint32_t>(token) % 64) & 1U) != 0;
}

}  // namespace

bool TokenMask::allows(TokenId token) const {
  if (bits.empty()) return std::binary_search(few.begin(), few.end(), token);
  return token >= 0 && static_cast<std::size_t>(token) / 64 < bits.size() && has_bit(bits, token);
}

Grammar::Grammar(std::shared_ptr<const Program> program, std::shared_ptr<const Vocabulary> vocabulary,
                 GrammarLimits limits)
    : program_(std::move(program)), vocabulary_(std::move(vocabulary)), limits_(limits) {
  automaton_ = std::make_unique<ByteAutomaton>(program_, conversation_, vocabulary_->longest());
}

Grammar::~Grammar() = default;

void Grammar::set_conversation(const std::vector<std::string>& texts) {
  conversation_ = texts.empty() ? nullptr : std::make_shared<const CharacterAutomaton>(said_texts(texts));
  if (conversation_ != nullptr && conversation_->empty()) conversation_ = nullptr;
  automaton_ = std::make_unique<ByteAutomaton>(program_, conversation_, vocabulary_->longest());
  forget();
}

void Grammar::forget() {
  automaton_->forget();
  mask_of_.clear();
  masks_.clear();
  class_tries_.clear();  // of texts that may be gone
  mask_bytes_ = 0;
  ++generation_;
}

GrammarState Grammar::begin() {
  if (automaton_->bytes() > limits_.state_bytes) forget();
  GrammarState state;
  state.state = automaton_->start();
  state.generation = generation_;
  return state;
}

StateId Grammar::step(StateId state, TokenId token) {
  if (state == no_state) return no_state;
  const std::string_view bytes = vocabulary_->bytes(token);
  if (bytes.empty()) return automaton_->step_token(state, token);
  for (const char byte : bytes) {
    state = automaton_->step(state, static_cast<std::uint8_t>(byte));
    if (state == no_state) return no_state;
  }
  return state;
}

StateId Grammar::replay(const std::vector<TokenId>& tokens) {
  StateId state = automaton_->start();
  for (const TokenId token : tokens) state = step(state, token);
  return state;
}

/// States are numbers in a memory that may have been emptied since.
void Grammar::refresh(GrammarState& state) {
  if (automaton_->bytes() > limits_.state_bytes) forget();
  if (state.generation == generation_) return;
  state.state = replay(state.tokens);
  state.generation = generation_;
}

StateId Grammar::state_of(const GrammarState& state) {
  return state.generation == generation_ ? state.state : replay(state.tokens);
}

bool Grammar::advance(GrammarState& state, TokenId token) {
  if (state.ended) return false;
  refresh(state);
  const auto& ends = program_->ends;
  if (state.state != no_state && automaton_->accepts(state.state) &&
      std::find(ends.begin(), ends.end(), token) != ends.end()) {
    state.ended = true;
    return true;
  }
  const StateId next = step(state.state, token);
  if (next == no_state) return false;
  state.state = next;
  state.tokens.push_back(token);
  return true;
}

bool Grammar::accepts(const GrammarState& state) {
  const StateId at = state_of(state);
  return state.ended || (at != no_state && automaton_->accepts(at));
}

void Grammar::walk(const TokenTrie& trie, StateId state, MaskBuilder& found) {
  walk(trie, 0, trie.nodes().size(), state, found);
}

/// Where a text is free behind its first byte (a key that no name begins like), the plain tokens need no walk.
void Grammar::walk_by_first_byte(StateId state, MaskBuilder& found) {
  const auto& all = vocabulary_->all().nodes();
  std::array<bool, 256> free{};
  bool any_free = false;
  for (std::size_t i = 0; i < all.size(); i += all[i].size()) {
    const std::uint8_t byte = all[i].byte();
    const StateId next = automaton_->step(state, byte);
    if (next == no_state) continue;
    const std::vector<std::uint64_t>& plain = vocabulary_->plain_mask(byte);
    free[byte] =
        !plain.empty() && byte < 0x80 && automaton_->free_characters(next) >= vocabulary_->most_plain_characters();
    if (free[byte])
      found.add(plain), any_free = true;
    else
      walk(vocabulary_->all(), i, i + all[i].size(), state, found);
  }
  if (!any_free) return;
  const auto& others = vocabulary_->others().nodes();
  for (std::size_t i = 0; i < others.size(); i += others[i].size())
    if (free[others[i].byte()]) walk(vocabulary_->others(), i, i + others[i].size(), state, found);
}

void Grammar::walk(const TokenTrie& trie, std::size_t begin, std::size_t end, StateId state, MaskBuilder& found) {
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
  find_tokens(state, found);
  for (const TokenId token : vocabulary_->long_tokens())
    if (step(state, token) != no_state) found.add(token);
  found.add(automaton_->tokens(state));
  if (automaton_->accepts(state)) found.add(program_->ends);
  return found.finish(vocabulary_->twins());
}

const TokenMask& Grammar::mask(const GrammarState& state) {
  static const TokenMask none;
  const StateId at = state_of(state);
  if (at == no_state || state.ended) return none;
  const auto key = static_cast<std::size_t>(automaton_->canonical(at));
  if (key < mask_of_.size() && mask_of_[key] >= 0) return masks_[static_cast<std::size_t>(mask_of_[key])];
  if (mask_bytes_ > limits_.mask_bytes) {
    masks_.clear();
    mask_of_.clear();
    class_tries_.clear();
    mask_bytes_ = 0;
  }
  TokenMask mask = computed(static_cast<StateId>(key));
  mask_bytes_ += sizeof(TokenMask) + mask.bits.size() * 8 + mask.few.size() * 4;
  if (mask_of_.size() <= key) mask_of_.resize(key + 1, -1);
  mask_of_[key] = static_cast<std::int32_t>(masks_.size());
  masks_.push_back(std::move(mask));
  return masks_.back();
}

}  // namespace retort::grammar
