// What is known of a state of byte_automaton.h from the texts that it stands in: bytes that cannot come or are alike,
// characters that may follow whatever they are, what was said.
#include <algorithm>

#include "grammar/byte_automaton.h"
#include "grammar/text_reader.h"

namespace retort::grammar {
namespace {

using Kind = Instruction::Kind;

}  // namespace

const TextFacts& ByteAutomaton::facts(Address place) {
  const TextFacts*& known = facts_of_[static_cast<std::size_t>(place)];
  if (known != nullptr) return *known;
  const CountedText& text = *program_->code[static_cast<std::size_t>(place)].text;
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
  for (const Configuration& one : *state.configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind == Kind::literal) {
      possible[static_cast<std::uint8_t>(instruction.bytes[one.b])] = true;
    } else if (instruction.kind == Kind::space) {
      allow(0, ' ');
    } else if (said_at(one.place) != nullptr) {
      allow(0, 255);  // such states are left soon: reading is cheaper
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
      return !continues || alike_continuations(*instruction.text, from);
    }
    default:
      return true;
  }
}

std::uint32_t ByteAutomaton::free_characters(StateId id) {
  std::uint32_t most = 0;
  for (const Configuration& one : *states_[static_cast<std::size_t>(id)].configurations) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    if (instruction.kind != Kind::text || one.b != 0 || said_at(one.place) != nullptr) continue;
    const TextFacts& known = facts(one.place);
    if (known.free[static_cast<std::size_t>(one.a)] == 0) continue;
    most = std::max(most, one.left == UINT32_MAX ? one.left : one.left - std::min(one.left, known.most_left_to_end));
  }
  return most;
}

bool ByteAutomaton::anything_quoted(StateId id) const {
  const auto& list = *states_[static_cast<std::size_t>(id)].configurations;
  return std::all_of(list.begin(), list.end(), [&](const Configuration& one) {
    const Instruction& instruction = program_->code[static_cast<std::size_t>(one.place)];
    return instruction.kind == Kind::text && instruction.writing == Writing::quoted && one.b == 0 && one.needed == 0 &&
           one.left == UINT32_MAX && said_at(one.place) == nullptr &&
           instruction.text->automaton.free[static_cast<std::size_t>(one.a)] != 0;
  });
}

const Configuration* ByteAutomaton::quoted_text(StateId id, const CountedText*& text) const {
  const auto& list = *states_[static_cast<std::size_t>(id)].configurations;
  if (list.size() != 1 || list.front().b != 0) return nullptr;
  const Instruction& instruction = program_->code[static_cast<std::size_t>(list.front().place)];
  if (instruction.kind != Kind::text || instruction.writing != Writing::quoted ||
      said_at(list.front().place) != nullptr)
    return nullptr;
  text = instruction.text.get();
  return &list.front();
}

std::uint32_t ByteAutomaton::most_characters(StateId id) const {
  std::uint32_t most = 0;
  for (const Configuration& one : *states_[static_cast<std::size_t>(id)].configurations) {
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
  const auto& list = *states_[static_cast<std::size_t>(id)].configurations;
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

bool ByteAutomaton::may_end_at(const Configuration& at) const {
  const SaidParts* said = said_at(at.place);
  return said != nullptr ? may_end(*said, at) : may_end(*program_->code[static_cast<std::size_t>(at.place)].text, at);
}

bool ByteAutomaton::reads_no_bytes(StateId id) const {
  const auto& list = *states_[static_cast<std::size_t>(id)].configurations;
  return std::all_of(list.begin(), list.end(), [&](const Configuration& one) {
    const Kind kind = program_->code[static_cast<std::size_t>(one.place)].kind;
    return kind == Kind::token || kind == Kind::accept;
  });
}

/// Inside what was said where one text is all that reads bytes, now and behind its end.
Reader ByteAutomaton::reader(StateId id) {
  Reader at{id, {}};
  if (id == no_state || !in_said(id)) return at;
  const Configuration* text = nullptr;
  for (const Configuration& one : *states_[static_cast<std::size_t>(id)].configurations) {
    const Kind kind = program_->code[static_cast<std::size_t>(one.place)].kind;
    if (kind == Kind::token || kind == Kind::accept) continue;
    if (text != nullptr || said_at(one.place) == nullptr) return at;
    text = &one;
  }
  const Configuration found = *text;
  const Instruction& instruction = program_->code[static_cast<std::size_t>(found.place)];
  if (instruction.writing == Writing::plain) {
    const StateId behind = close(Configuration{instruction.next, 0, 0, 0, UINT32_MAX, found.stack});
    if (behind != no_state && !reads_no_bytes(behind)) return at;
  }
  return {inside_said, found};
}

Reader ByteAutomaton::step(const Reader& from, std::uint8_t byte) {
  if (from.state != inside_said) {
    const StateId next = step(from.state, byte);
    return next != no_state && in_said(next) ? reader(next) : Reader{next, {}};
  }
  const Instruction& instruction = program_->code[static_cast<std::size_t>(from.text.place)];
  Reader next = from;
  const TextStep step = read_text(*said_, instruction.writing, byte, next.text);
  if (step == TextStep::dead) next.state = no_state;
  if (step == TextStep::ended)
    next = reader(close(Configuration{instruction.next, 0, 0, 0, UINT32_MAX, from.text.stack}));
  return next;
}

}  // namespace retort::grammar
