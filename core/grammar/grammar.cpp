// See grammar.h. Forced tokens are in forced_tokens.cpp.
#include "grammar/grammar.h"

#include <algorithm>
#include <array>
#include <bit>

#include "grammar/utterance_automaton.h"

namespace retort::grammar {
namespace {

constexpr std::size_t most_listed = 1024;  // 4 kB in place of 19

void set_bit(std::vector<std::uint64_t>& bits, TokenId token) {
  bits[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (static_cast<std::uint32_t>(token) % 64);
}
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

void Grammar::walk(const TokenTrie& trie, StateId state, std::vector<std::uint64_t>& bits) {
  walk(trie, 0, trie.nodes().size(), state, bits);
}

/// Where a text is free behind its first byte (a key that no name begins like), the plain tokens need no walk.
void Grammar::walk_by_first_byte(StateId state, std::vector<std::uint64_t>& bits) {
  const auto& all = vocabulary_->all().nodes();
  std::array<bool, 256> free{};
  for (std::size_t i = 0; i < all.size(); i += all[i].size()) {
    const std::uint8_t byte = all[i].byte();
    const std::vector<std::uint64_t>& plain = vocabulary_->plain_mask(byte);
    const StateId next = plain.empty() || byte >= 0x80 ? no_state : automaton_->step(state, byte);
    free[byte] = next != no_state && automaton_->free_characters(next) >= vocabulary_->most_plain_characters();
    if (free[byte])
      std::transform(bits.begin(), bits.end(), plain.begin(), bits.begin(), std::bit_or<>());
    else
      walk(vocabulary_->all(), i, i + all[i].size(), state, bits);
  }
  const auto& others = vocabulary_->others().nodes();
  for (std::size_t i = 0; i < others.size(); i += others[i].size())
    if (free[others[i].byte()]) walk(vocabulary_->others(), i, i + others[i].size(), state, bits);
}

void Grammar::walk(const TokenTrie& trie, std::size_t begin, std::size_t end, StateId state,
                   std::vector<std::uint64_t>& bits) {
  std::array<StateId, 256> path;
  path[0] = state;
  const auto& nodes = trie.nodes();
  for (std::size_t i = begin; i < end;) {
    const TokenTrie::Node node = nodes[i];
    const StateId next = automaton_->step(path[node.depth() - 1], node.byte());
    if (next == no_state) {
      i += node.size();
      continue;
    }
    path[node.depth()] = next;
    if (const TokenId token = node.token(); token >= 0) set_bit(bits, token);
    ++i;
  }
}

/// Inside a text that is free for `free` characters.
void Grammar::walk_beside_slices(StateId state, std::uint32_t free, std::vector<std::uint64_t>& bits) {
  const auto& slices = vocabulary_->slices();
  const auto fitting = std::find_if(slices.begin(), slices.end(),
                                    [&](const Vocabulary::Slice& slice) { return slice.characters > free; });
  if (fitting != slices.begin()) bits = std::prev(fitting)->mask;
  const std::uint32_t most = automaton_->most_characters(state);
  for (auto slice = fitting; slice != slices.end() && slice->least <= most; ++slice) walk(slice->trie, state, bits);
  walk(automaton_->refuses_controls(state) ? vocabulary_->others_without_controls() : vocabulary_->others(), state,
       bits);
}

TokenMask Grammar::computed(StateId state) {
  std::vector<std::uint64_t> bits(vocabulary_->words(), 0);
  if (const std::uint32_t free = automaton_->free_characters(state); free > 0)
    walk_beside_slices(state, free, bits);
  else
    walk_by_first_byte(state, bits);
  for (const auto& [first, other] : vocabulary_->twins())
    if (has_bit(bits, first)) set_bit(bits, other);
  for (const TokenId token : vocabulary_->long_tokens())
    if (step(state, token) != no_state) set_bit(bits, token);
  for (const TokenId token : automaton_->tokens(state)) set_bit(bits, token);
  if (automaton_->accepts(state))
    for (const TokenId token : program_->ends) set_bit(bits, token);
  TokenMask mask;
  for (const std::uint64_t word : bits) mask.count += std::popcount(word);
  if (mask.count > static_cast<std::int64_t>(most_listed) ||
      mask.count * 4 > static_cast<std::int64_t>(bits.size() * 8)) {
    mask.bits = std::move(bits);
    return mask;
  }
  for (std::size_t word = 0; word < bits.size(); ++word)
    for (std::uint64_t rest = bits[word]; rest != 0; rest &= rest - 1)
      mask.few.push_back(static_cast<TokenId>(word * 64) + std::countr_zero(rest));
  return mask;
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
