// See byte_automaton.h: states and transitions. What instructions lead to is in program_steps.cpp, what is known of the
// texts that a state stands in is in state_texts.cpp.
#include "grammar/byte_automaton.h"

#include <algorithm>
#include <stdexcept>
#include <unordered_set>

#include "grammar/text_reader.h"

namespace retort::grammar {
namespace {

using Kind = Instruction::Kind;

constexpr std::size_t most_configurations = 20000;
constexpr std::size_t most_stack_frames = 4000000;

void mix(std::size_t& hash, std::size_t value) {
  hash ^= value + 0x9E3779B97F4A7C15U + (hash << 6U) + (hash >> 2U);
}

}  // namespace

std::size_t ByteAutomaton::Hash::operator()(const Configuration& one) const {
  std::size_t hash = static_cast<std::size_t>(one.place);
  for (const std::size_t value : {static_cast<std::size_t>(one.a), std::size_t{one.b}, std::size_t{one.needed},
                                  std::size_t{one.left}, static_cast<std::size_t>(one.stack)})
    mix(hash, value);
  return hash;
}

std::size_t ByteAutomaton::Hash::operator()(const std::vector<Configuration>& list) const {
  std::size_t hash = list.size();
  for (const Configuration& one : list) mix(hash, (*this)(one));
  return hash;
}

ByteAutomaton::ByteAutomaton(std::shared_ptr<const Program> program, std::size_t longest_token)
    : program_(std::move(program)), longest_token_(static_cast<std::uint32_t>(longest_token)) {
  limited_.assign(program_->code.size(), false);
  for (std::size_t i = 0; i < program_->code.size(); ++i)
    if (program_->code[i].from_conversation) marked_.push_back(static_cast<Address>(i));
  facts_of_.assign(program_->code.size(), nullptr);
  forget();
}

bool ByteAutomaton::set_conversation(std::shared_ptr<SaidParts> said) {
  said_ = std::move(said);
  bool same = true;
  for (const Address place : marked_) {
    const auto index = static_cast<std::size_t>(place);
    const bool limited = said_ != nullptr && said_->has(program_->code[index].text->length);
    same = same && limited == limited_[index];
    limited_[index] = limited;
  }
  if (!same) {
    forget();
    return false;
  }
  for (const StateId id : touched_) {
    State& state = states_[static_cast<std::size_t>(id)];
    state.next.fill(unknown);
    state.token_steps.clear();
    state.canonical = unknown;
    state.prepared = state.forced_known = state.touched = false;
  }
  touched_.clear();
  return true;
}

/// The state, about which something is going to be remembered.
ByteAutomaton::State& ByteAutomaton::changed(StateId id) {
  State& state = states_[static_cast<std::size_t>(id)];
  if (state.said && !state.touched) {
    state.touched = true;
    touched_.push_back(id);
  }
  return state;
}

void ByteAutomaton::forget() {
  states_.clear();
  touched_.clear();
  known_.clear();
  frames_.assign(1, Frame{});
  known_frames_.clear();
  canonical_stacks_.assign(1, 0);
  sets_.assign(1, {});
  known_sets_ = {{{}, 0}};
  start_ = unknown;
}

std::size_t ByteAutomaton::bytes() const {
  return states_.size() * (sizeof(State) + 96) + frames_.size() * (2 * sizeof(Frame) + 48);
}

StateId ByteAutomaton::start() {
  if (start_ == unknown) start_ = close(Configuration{program_->start});
  return start_;
}

bool ByteAutomaton::is_reader(const Configuration& configuration) const {
  const Kind kind = program_->code[static_cast<std::size_t>(configuration.place)].kind;
  return kind == Kind::literal || kind == Kind::token || kind == Kind::text || kind == Kind::space ||
         kind == Kind::accept;
}

StateId ByteAutomaton::close(const Configuration& only) {
  work_.assign(1, only);
  return close(work_);
}

/// Empties `work`.
StateId ByteAutomaton::close(Work& work) {
  if (work.size() == 1) {  // most often: one reader that leads nowhere else before it has read
    const Instruction& instruction = program_->code[static_cast<std::size_t>(work.front().place)];
    const bool quoted = instruction.kind == Kind::text && instruction.writing == Writing::quoted;
    if (quoted || instruction.kind == Kind::literal || instruction.kind == Kind::token) return intern(work);
  }
  constexpr std::size_t most_searched = 16;  // as a list; more: hashed
  readers_.clear();
  few_.clear();
  std::unordered_set<Configuration, Hash> seen;
  const auto first_time = [&](const Configuration& one) {
    if (seen.empty() && std::find(few_.begin(), few_.end(), one) != few_.end()) return false;
    if (seen.empty() && few_.size() < most_searched) return few_.push_back(one), true;
    if (seen.empty()) seen.insert(few_.begin(), few_.end());
    return seen.insert(one).second;
  };
  while (!work.empty()) {
    const Configuration next = work.back();
    work.pop_back();
    if (!first_time(next)) continue;
    if (seen.size() > most_configurations)
      throw std::runtime_error("grammar: more than " + std::to_string(most_configurations) +
                               " ways to read the same text; make the alternatives of the schema differ earlier");
    if (is_reader(next)) readers_.push_back(next);
    expand(next, work);
  }
  if (readers_.empty()) return no_state;
  std::sort(readers_.begin(), readers_.end());
  return intern(readers_);
}

ByteAutomaton::State& ByteAutomaton::States::add() {
  if (size_ == blocks_.size() * in_block) blocks_.push_back(std::make_unique_for_overwrite<State[]>(in_block));
  return (*this)[size_++];
}

StateId ByteAutomaton::intern(const std::vector<Configuration>& configurations) {
  if (const auto found = known_.find(configurations); found != known_.end()) return found->second;
  const auto found = known_.emplace(configurations, static_cast<StateId>(states_.size())).first;
  State& state = states_.add();
  state.configurations = &found->first;
  state.next.fill(unknown);
  for (const Configuration& one : *state.configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::accept) state.accepts = true;
    if (instruction.kind == Kind::token) state.tokens.push_back(instruction.token);
    if (instruction.kind == Kind::text || instruction.kind == Kind::space) state.reads_text = true;
    if (said_at(one.place) != nullptr) state.said = true;
  }
  std::sort(state.tokens.begin(), state.tokens.end());
  state.tokens.erase(std::unique(state.tokens.begin(), state.tokens.end()), state.tokens.end());
  return found->second;
}

StateId ByteAutomaton::discover(StateId id, std::uint8_t byte) {
  State& state = changed(id);
  if (!state.prepared) prepare(state);
  if (state.next[byte] != unknown) return state.next[byte];
  work_.clear();
  for (const Configuration& one : *state.configurations) read(one, byte, work_);
  const StateId next = work_.empty() ? no_state : close(work_);
  state.next[byte] = next;
  // What was said is left for other texts soon: comparing bytes costs more than it saves.
  if (!state.reads_text || state.said) return next;  // literals: every byte that can come leads elsewhere
  if (const Configuration& one = state.configurations->front();
      state.configurations->size() == 1 && one.b == 0 &&
      program_->code[static_cast<std::size_t>(one.place)].kind == Kind::text) {
    const auto& following = facts(one.place).same_group;
    for (std::uint8_t other = following[byte]; other != byte; other = following[other]) state.next[other] = next;
    return next;
  }
  for (unsigned other = 0; other < state.next.size(); ++other) {
    if (state.next[other] != unknown) continue;
    const bool same =
        std::all_of(state.configurations->begin(), state.configurations->end(),
                    [&](const Configuration& one) { return alike(one, byte, static_cast<std::uint8_t>(other)); });
    if (same) state.next[other] = next;
  }
  return next;
}

StateId ByteAutomaton::step_token(StateId state, TokenId token) {
  State& from = states_[static_cast<std::size_t>(state)];
  for (const auto& [known, next] : from.token_steps)
    if (known == token) return next;
  work_.clear();
  for (const Configuration& one : *from.configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind != Kind::token || instruction.token != token) continue;
    work_.push_back(one);
    work_.back().place = instruction.next;
  }
  if (work_.empty()) return no_state;
  const StateId next = close(work_);
  changed(state).token_steps.emplace_back(token, next);
  return next;
}

void ByteAutomaton::read(const Configuration& from, std::uint8_t byte, Work& work) const {
  const Instruction& instruction = program_->code[static_cast<std::size_t>(from.place)];
  Configuration next = from;
  if (instruction.kind == Kind::literal) {
    if (static_cast<std::uint8_t>(instruction.bytes[from.b]) != byte) return;
    if (++next.b == instruction.bytes.size()) next.b = 0, next.place = instruction.next;
    work.push_back(next);
  } else if (instruction.kind == Kind::space) {
    constexpr std::uint32_t most_spaces = 8;
    if (from.b == most_spaces || (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')) return;
    ++next.b;
    work.push_back(next);
  } else if (instruction.kind == Kind::text) {
    SaidParts* said = said_at(from.place);
    const TextStep step = said != nullptr ? read_text(*said, instruction.writing, byte, next)
                                          : read_text(*instruction.text, instruction.writing, byte, next);
    if (step == TextStep::dead) return;
    if (step == TextStep::ended) next = {instruction.next, 0, 0, 0, UINT32_MAX, from.stack};
    work.push_back(next);
  }
}

Forced ByteAutomaton::forced(StateId id) {
  State& state = states_[static_cast<std::size_t>(id)];
  if (state.forced_known) return state.forced;
  changed(id);
  Forced found;
  bool several = false;
  const auto may = [&](const Forced& one) {
    if (found.kind == Forced::Kind::nothing)
      found = one;
    else if (found.kind != one.kind || found.byte != one.byte || found.token != one.token)
      several = true;
  };
  for (const Configuration& one : *state.configurations) {
    if (several) break;
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::token) {
      may({Forced::Kind::token, 0, instruction.token});
    } else if (instruction.kind == Kind::accept) {
      if (program_->ends.size() == 1)
        may({Forced::Kind::end, 0, program_->ends.front()});
      else
        several = true;
    } else if (const SaidParts* said = said_at(one.place); said != nullptr && one.b == 0 && said->several(one.a)) {
      several = true;
    } else {
      for (int byte = 0; byte < 256 && !several; ++byte) {
        work_.clear();
        read(one, static_cast<std::uint8_t>(byte), work_);
        if (!work_.empty()) may({Forced::Kind::byte, static_cast<std::uint8_t>(byte), -1});
      }
    }
  }
  state.forced = several ? Forced{} : found;
  state.forced_known = true;
  return state.forced;
}

std::int32_t ByteAutomaton::push(const Configuration& back) {
  const auto [found, fresh] = known_frames_.emplace(back, static_cast<std::int32_t>(frames_.size()));
  if (!fresh) return found->second;
  if (frames_.size() > most_stack_frames) throw std::runtime_error("grammar: nested too deeply");
  frames_.push_back({back});
  canonical_stacks_.push_back(unknown);
  return found->second;
}

std::int32_t ByteAutomaton::canonical_stack(std::int32_t stack) {
  if (canonical_stacks_[static_cast<std::size_t>(stack)] != unknown)
    return canonical_stacks_[static_cast<std::size_t>(stack)];
  Configuration back = frames_[static_cast<std::size_t>(stack)].back;
  back.stack = canonical_stack(back.stack);
  const Kind kind = program_->code[static_cast<std::size_t>(back.place)].kind;
  if (kind == Kind::list_after) {
    back.needed = std::min(back.needed, longest_token_ + 1);
    if (back.left != UINT32_MAX) back.left = std::min(back.left, longest_token_ + 1);
  }
  return canonical_stacks_[static_cast<std::size_t>(stack)] = push(back);
}

Configuration ByteAutomaton::canonical(Configuration configuration) {
  configuration.stack = canonical_stack(configuration.stack);
  const Instruction& instruction = program_->code[static_cast<std::size_t>(configuration.place)];
  if (instruction.kind != Kind::text || said_at(configuration.place) != nullptr) return configuration;
  // What is left is weighed against what the automaton still needs, so that much is kept beyond a token.
  const CharacterAutomaton& automaton = instruction.text->automaton;
  const auto most_needed =
      static_cast<std::uint32_t>(*std::max_element(automaton.least_left.begin(), automaton.least_left.end()));
  const bool endless = std::all_of(automaton.most_left.begin(), automaton.most_left.end(),
                                   [](std::int64_t most) { return most == schema::unlimited; });
  if (endless) configuration.needed = std::min(configuration.needed, longest_token_ + 1);
  if (configuration.left != UINT32_MAX)
    configuration.left = std::min(configuration.left, longest_token_ + 1 + most_needed + configuration.needed);
  return configuration;
}

StateId ByteAutomaton::canonical(StateId id) {
  if (states_[static_cast<std::size_t>(id)].canonical != unknown)
    return states_[static_cast<std::size_t>(id)].canonical;
  std::vector<Configuration> list = *states_[static_cast<std::size_t>(id)].configurations;
  for (Configuration& one : list) one = canonical(one);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  const StateId result = intern(list);
  changed(result).canonical = result;
  return changed(id).canonical = result;
}

}  // namespace retort::grammar
