// See grammar.h. How masks are found is in mask_search.cpp, forced tokens are in forced_tokens.cpp.
#include "grammar/grammar.h"

#include <algorithm>

#include "grammar/class_trie.h"
#include "grammar/said_parts.h"

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
    : program_(std::move(program)),
      vocabulary_(std::move(vocabulary)),
      limits_(limits),
      automaton_(std::make_unique<ByteAutomaton>(program_, vocabulary_->longest())),
      path_(256) {}

Grammar::~Grammar() = default;

void Grammar::set_conversation(const std::vector<std::string>& texts) {
  auto said = std::make_shared<SaidParts>(texts);
  if (!automaton_->set_conversation(said->empty() ? nullptr : std::move(said))) return forget();
  for (const StateId state : said_states_) mask_of_[static_cast<std::size_t>(state)] = -1;
  said_states_.clear();
  said_masks_.clear();
  ++generation_;
}

void Grammar::forget_masks() {
  mask_of_.clear();
  masks_.clear();
  said_masks_.clear();
  said_states_.clear();
  class_tries_.clear();
  mask_bytes_ = 0;
}

void Grammar::forget() {
  automaton_->forget();
  forget_masks();
  forced_.clear();
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
  if (automaton_->in_said(state)) {
    Reader at = automaton_->reader(state);
    for (const char byte : bytes)
      if (at = automaton_->step(at, static_cast<std::uint8_t>(byte)); at.state == no_state) return no_state;
    return automaton_->state_of(at);
  }
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

const TokenMask& Grammar::mask(const GrammarState& state) {
  static const TokenMask none;
  const StateId at = state_of(state);
  if (at == no_state || state.ended) return none;
  const auto key = static_cast<std::size_t>(automaton_->canonical(at));
  if (key < mask_of_.size() && mask_of_[key] != -1) {
    const std::int32_t known = mask_of_[key];
    return known >= 0 ? masks_[static_cast<std::size_t>(known)] : said_masks_[static_cast<std::size_t>(-2 - known)];
  }
  if (mask_bytes_ > limits_.mask_bytes) forget_masks();
  TokenMask mask = computed(static_cast<StateId>(key));
  if (mask_of_.size() <= key) mask_of_.resize(key + 1, -1);
  std::vector<TokenMask>& masks = met_said_ ? said_masks_ : masks_;
  mask_of_[key] = static_cast<std::int32_t>(met_said_ ? -2 - static_cast<std::int64_t>(masks.size()) : masks.size());
  if (met_said_) said_states_.push_back(static_cast<StateId>(key));
  mask_bytes_ += sizeof(TokenMask) + mask.bits.size() * 8 + mask.few.size() * 4;
  masks.push_back(std::move(mask));
  return masks.back();
}

}  // namespace retort::grammar
