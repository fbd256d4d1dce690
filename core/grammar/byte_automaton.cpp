// See byte_automaton.h: states and transitions. What instructions lead to is in program_steps.cpp.
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

ByteAutomaton::ByteAutomaton(std::shared_ptr<const Program> program,
                             std::shared_ptr<const CharacterAutomaton> conversation, std::size_t longest_token)
    : program_(std::move(program)),
      conversation_(std::move(conversation)),
      longest_token_(static_cast<std::uint32_t>(longest_token)) {
  if (conversation_ != nullptr)
    for (const Instruction& instruction : program_->code) {
      if (!instruction.from_conversation) continue;
      const schema::Counts length = instruction.text->length;
      const std::pair key(length.least, length.most);
      if (said_.contains(key)) continue;
      CountedText text = counted(*conversation_, length);
      if (text.automaton.empty()) text = *instruction.text;  // nothing that was said is as long: any text may come
      said_.emplace(key, std::move(text));
    }
  facts_of_.assign(program_->code.size(), nullptr);
  forget();
}

void ByteAutomaton::forget() {
  states_.clear();
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
  if (start_ == unknown) start_ = close({Configuration{program_->start}});
  return start_;
}

const CountedText& ByteAutomaton::text_of(const Instruction& instruction) const {
  if (!instruction.from_conversation || conversation_ == nullptr) return *instruction.text;
  return said_.at({instruction.text->length.least, instruction.text->length.most});
}

bool ByteAutomaton::is_reader(const Configuration& configuration) const {
  const Kind kind = program_->code[static_cast<std::size_t>(configuration.place)].kind;
  return kind == Kind::literal || kind == Kind::token || kind == Kind::text || kind == Kind::space ||
         kind == Kind::accept;
}

StateId ByteAutomaton::close(Work work) {
  if (work.size() == 1) {  // most often: one reader that leads nowhere else before it has read
    const Instruction& instruction = program_->code[static_cast<std::size_t>(work.front().place)];
    const bool quoted = instruction.kind == Kind::text && instruction.writing == Writing::quoted;
    if (quoted || instruction.kind == Kind::literal || instruction.kind == Kind::token) return intern(std::move(work));
  }
  constexpr std::size_t most_searched = 16;  // as a list; more: hashed
  std::vector<Configuration> readers, few;
  std::unordered_set<Configuration, Hash> seen;
  const auto first_time = [&](const Configuration& one) {
    if (seen.empty() && std::find(few.begin(), few.end(), one) != few.end()) return false;
    if (seen.empty() && few.size() < most_searched) return few.push_back(one), true;
    if (seen.empty()) seen.insert(few.begin(), few.end());
    return seen.insert(one).second;
  };
  while (!work.empty()) {
    const Configuration next = work.back();
    work.pop_back();
    if (!first_time(next)) continue;
    if (seen.size() > most_configurations)
      throw std::runtime_error("grammar: more than " + std::to_string(most_configurations) +
                               " ways to read the same text; make the alternatives of the schema differ earlier");
    if (is_reader(next)) readers.push_back(next);
    expand(next, work);
  }
  if (readers.empty()) return no_state;
  std::sort(readers.begin(), readers.end());
  return intern(std::move(readers));
}

StateId ByteAutomaton::intern(std::vector<Configuration> configurations) {
  const auto [found, fresh] = known_.emplace(std::move(configurations), static_cast<StateId>(states_.size()));
  if (!fresh) return found->second;
  State& state = states_.emplace_back();
  state.configurations = found->first;
  state.next.fill(unknown);
  for (const Configuration& one : state.configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::accept) state.accepts = true;
    if (instruction.kind == Kind::token) state.tokens.push_back(instruction.token);
    if (instruction.kind == Kind::text || instruction.kind == Kind::space) state.reads_text = true;
  }
  std::sort(state.tokens.begin(), state.tokens.end());
  state.tokens.erase(std::unique(state.tokens.begin(), state.tokens.end()), state.tokens.end());
  return found->second;
}

const TextFacts& ByteAutomaton::facts(Address place) {
  const TextFacts*& known = facts_of_[static_cast<std::size_t>(place)];
  if (known != nullptr) return *known;
  const CountedText& text = text_of(program_->code[static_cast<std::size_t>(place)]);
  std::unique_ptr<const TextFacts>& found = facts_[&text];
  if (found == nullptr) found = std::make_unique<const TextFacts>(text.automaton);
  return *(known = found.get());
}

/// Marks the bytes that no configuration can read.
void ByteAutomaton::prepare(State& state) {
  std::array<bool, 256> possible{};
  const auto allow = [&](unsigned first, unsigned last) {
    std::fill(possible.begin() + first, possible.begin() + last + 1, true);
  };
  for (const Configuration& one : state.configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::literal) {
      possible[static_cast<std::uint8_t>(instruction.bytes[one.b])] = true;
    } else if (instruction.kind == Kind::space) {
      allow(0, ' ');
    } else if (instruction.kind == Kind::text && one.b != 0) {
      inside_character(one) ? allow(0x80, 0xBF) : allow(0x20, 0x7F);
    } else if (instruction.kind == Kind::text) {
      const TextFacts& known = facts(one.place);
      for (unsigned byte = instruction.writing == Writing::quoted ? 0x20 : 0; byte < 256; ++byte)
        if (known.groups[byte] != TextFacts::dead_group) possible[byte] = true;
    }
  }
  for (std::size_t byte = 0; byte < possible.size(); ++byte)
    if (!possible[byte]) state.next[byte] = no_state;
  state.prepared = true;
}

/// Whether two bytes lead a configuration to the same place; may say no of what does.
bool ByteAutomaton::alike(const Configuration& from, std::uint8_t a, std::uint8_t b) {
  const Instruction& instruction = program_->code[static_cast<std::size_t>(from.place)];
  switch (instruction.kind) {
    case Kind::literal: {
      const auto expected = static_cast<std::uint8_t>(instruction.bytes[from.b]);
      return a != expected && b != expected;
    }
    case Kind::space:
      return a > ' ' && b > ' ';
    case Kind::text: {
      if (from.b == 0) {
        const TextFacts& known = facts(from.place);
        return known.groups[a] == known.groups[b];
      }
      if (!inside_character(from)) return false;
      const bool continues = (a & 0xC0U) == 0x80U;
      if (continues != ((b & 0xC0U) == 0x80U)) return false;
      return !continues || alike_continuations(text_of(instruction), from);
    }
    default:
      return true;
  }
}

StateId ByteAutomaton::discover(StateId id, std::uint8_t byte) {
  State& state = states_[static_cast<std::size_t>(id)];  // of a deque: stays where it is
  if (!state.prepared) prepare(state);
  if (state.next[byte] != unknown) return state.next[byte];
  Work work;
  for (const Configuration& one : state.configurations) read(one, byte, work);
  const StateId next = work.empty() ? no_state : close(std::move(work));
  state.next[byte] = next;
  if (!state.reads_text) return next;  // literals: every byte that can come leads elsewhere
  if (const Configuration& one = state.configurations.front();
      state.configurations.size() == 1 && one.b == 0 &&
      program_->code[static_cast<std::size_t>(one.place)].kind == Kind::text) {
    const auto& groups = facts(one.place).groups;
    for (unsigned other = 0; other < state.next.size(); ++other)
      if (groups[other] == groups[byte] && state.next[other] == unknown) state.next[other] = next;
    return next;
  }
  // Of what was said few bytes can come, and the automaton lives for one answer: comparing them costs more than it
  // saves.
  if (conversation_ != nullptr) return next;
  for (unsigned other = 0; other < state.next.size(); ++other) {
    if (state.next[other] != unknown) continue;
    const bool same =
        std::all_of(state.configurations.begin(), state.configurations.end(),
                    [&](const Configuration& one) { return alike(one, byte, static_cast<std::uint8_t>(other)); });
    if (same) state.next[other] = next;
  }
  return next;
}

StateId ByteAutomaton::step_token(StateId state, TokenId token) {
  State& from = states_[static_cast<std::size_t>(state)];
  for (const auto& [known, next] : from.token_steps)
    if (known == token) return next;
  Work work;
  for (const Configuration& one : from.configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind != Kind::token || instruction.token != token) continue;
    work.push_back(one);
    work.back().place = instruction.next;
  }
  if (work.empty()) return no_state;
  const StateId next = close(std::move(work));
  states_[static_cast<std::size_t>(state)].token_steps.emplace_back(token, next);
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
    const TextStep step = read_text(text_of(instruction), instruction.writing, byte, next);
    if (step == TextStep::dead) return;
    if (step == TextStep::ended) next = {instruction.next, 0, 0, 0, UINT32_MAX, from.stack};
    work.push_back(next);
  }
}

Forced ByteAutomaton::forced(StateId id) {
  State& state = states_[static_cast<std::size_t>(id)];
  if (state.forced_known) return state.forced;
  Forced found;
  bool several = false;
  const auto may = [&](const Forced& one) {
    if (found.kind == Forced::Kind::nothing)
      found = one;
    else if (found.kind != one.kind || found.byte != one.byte || found.token != one.token)
      several = true;
  };
  for (const Configuration& one : state.configurations) {
    if (several) break;
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::token) {
      may({Forced::Kind::token, 0, instruction.token});
    } else if (instruction.kind == Kind::accept) {
      if (program_->ends.size() == 1)
        may({Forced::Kind::end, 0, program_->ends.front()});
      else
        several = true;
    } else {
      for (int byte = 0; byte < 256 && !several; ++byte) {
        Work work;
        read(one, static_cast<std::uint8_t>(byte), work);
        if (!work.empty()) may({Forced::Kind::byte, static_cast<std::uint8_t>(byte), -1});
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
  if (instruction.kind != Kind::text) return configuration;
  // What is left is weighed against what the automaton still needs, so that much is kept beyond a token.
  const CharacterAutomaton& automaton = text_of(instruction).automaton;
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
  std::vector<Configuration> list = states_[static_cast<std::size_t>(id)].configurations;
  for (Configuration& one : list) one = canonical(one);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  const StateId result = intern(std::move(list));
  states_[static_cast<std::size_t>(result)].canonical = result;
  return states_[static_cast<std::size_t>(id)].canonical = result;
}

std::uint32_t ByteAutomaton::free_characters(StateId id) {
  std::uint32_t most = 0;
  for (const Configuration& one : states_[static_cast<std::size_t>(id)].configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind != Kind::text || one.b != 0) continue;
    const TextFacts& known = facts(one.place);
    if (known.free[static_cast<std::size_t>(one.a)] == 0) continue;
    most = std::max(most, one.left == UINT32_MAX ? one.left : one.left - std::min(one.left, known.most_left_to_end));
  }
  return most;
}

bool ByteAutomaton::anything_quoted(StateId id) const {
  const auto& list = states_[static_cast<std::size_t>(id)].configurations;
  return std::all_of(list.begin(), list.end(), [&](const Configuration& one) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    return instruction.kind == Kind::text && instruction.writing == Writing::quoted && one.b == 0 && one.needed == 0 &&
           one.left == UINT32_MAX && text_of(instruction).automaton.free[static_cast<std::size_t>(one.a)] != 0;
  });
}

const Configuration* ByteAutomaton::quoted_text(StateId id, const CountedText*& text) const {
  const auto& list = states_[static_cast<std::size_t>(id)].configurations;
  if (list.size() != 1 || list.front().b != 0) return nullptr;
  const Instruction& instruction = program_->code[static_cast<std::size_t>(list.front().place)];
  if (instruction.kind != Kind::text || instruction.writing != Writing::quoted) return nullptr;
  text = &text_of(instruction);
  return &list.front();
}

std::uint32_t ByteAutomaton::most_characters(StateId id) const {
  std::uint32_t most = 0;
  for (const Configuration& one : states_[static_cast<std::size_t>(id)].configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::token || instruction.kind == Kind::accept) continue;
    const bool text = instruction.kind == Kind::text && instruction.writing == Writing::quoted && one.b == 0;
    const std::size_t border =
        instruction.kind == Kind::literal ? instruction.bytes.find_first_of("\"\\", one.b) : std::string::npos;
    if (!text && border == std::string::npos) return UINT32_MAX;
    most = std::max(most, text ? one.left : static_cast<std::uint32_t>(border - one.b));
  }
  return most;
}

bool ByteAutomaton::refuses_controls(StateId id) const {
  const auto& list = states_[static_cast<std::size_t>(id)].configurations;
  return std::all_of(list.begin(), list.end(), [&](const Configuration& one) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::token || instruction.kind == Kind::accept) return true;
    if (instruction.kind == Kind::text) return instruction.writing == Writing::quoted;
    if (instruction.kind != Kind::literal) return false;
    const std::size_t border = instruction.bytes.find_first_of("\"\\", one.b);
    return border != std::string::npos &&
           std::all_of(instruction.bytes.begin() + one.b,
                       instruction.bytes.begin() + static_cast<std::ptrdiff_t>(border),
                       [](char byte) { return static_cast<std::uint8_t>(byte) >= 0x20; });
  });
}

}  // namespace retort::grammar
