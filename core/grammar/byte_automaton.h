// A program run on bytes and token ids: states are sets of configurations (place, counters, stack), found as they are
// met and kept; transitions are remembered. Stacks are shared (hash-consed), so recursion of a schema costs a number.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/program.h"
#include "grammar/text_facts.h"

namespace retort::grammar {

using StateId = std::int32_t;
inline constexpr StateId no_state = -1;  ///< nothing may follow: the text is not in the grammar

/// One reader of the text so far.
struct Configuration {
  Address place = 0;
  std::int32_t a = 0;   ///< text: state of its automaton; lists: items read; objects: members read (set or next)
  std::uint32_t b = 0;  ///< inside a literal, a character or an escape: how far
  std::uint32_t needed = 0, left = UINT32_MAX;  ///< characters, items or members that must, and may, still come
  std::int32_t stack = 0;
  auto operator<=>(const Configuration&) const = default;
};

/// What must come next, where only one thing can.
struct Forced {
  enum class Kind : std::uint8_t { nothing, byte, token, end } kind = Kind::nothing;
  std::uint8_t byte = 0;
  TokenId token = -1;
};

/// Used by one thread at a time.
class ByteAutomaton {
 public:
  /// `conversation` replaces the texts that are marked so; may be null. `longest_token`: bytes; counters beyond are
  /// alike for a mask.
  ByteAutomaton(std::shared_ptr<const Program> program, std::shared_ptr<const CharacterAutomaton> conversation,
                std::size_t longest_token);

  StateId start();
  /// Throws std::runtime_error where a state has too many configurations.
  StateId step(StateId state, std::uint8_t byte) {
    const StateId known = states_[static_cast<std::size_t>(state)].next[byte];
    return known == unknown ? discover(state, byte) : known;
  }
  StateId step_token(StateId state, TokenId token);
  bool accepts(StateId state) const { return states_[static_cast<std::size_t>(state)].accepts; }
  const std::vector<TokenId>& tokens(StateId state) const { return states_[static_cast<std::size_t>(state)].tokens; }
  Forced forced(StateId state);
  /// A state with the same mask: counters that no single token exhausts are made equal.
  StateId canonical(StateId state);
  /// Plain characters (TextFacts::free) that may follow whatever they are: 0 none, UINT32_MAX any number.
  std::uint32_t free_characters(StateId state);
  /// Whether it stands in JSON strings that may have any characters, as many as one likes, and end at any place.
  bool anything_quoted(StateId state) const;
  /// The text that it stands in, between characters of a JSON string, and where in it; null where that is not all.
  const Configuration* quoted_text(StateId state, const CountedText*& text) const;
  /// The most plain characters that may follow at all; more than there are, where that is not known.
  std::uint32_t most_characters(StateId state) const;
  /// Whether plain characters never lead to a place where a control character may come.
  bool refuses_controls(StateId state) const;
  const Program& program() const { return *program_; }
  std::size_t bytes() const;  ///< of memory, about
  std::size_t states() const { return states_.size(); }
  /// Forgets all states. Ids given so far are void.
  void forget();

 private:
  static constexpr StateId unknown = -2;
  struct Frame {
    Configuration back;  ///< where a rule gives back to, and what it finds there; .stack: what lies below
    auto operator<=>(const Frame&) const = default;
  };
  struct State {
    std::vector<Configuration> configurations;
    std::array<StateId, 256> next;
    std::vector<TokenId> tokens;
    std::vector<std::pair<TokenId, StateId>> token_steps;
    StateId canonical = unknown;
    bool accepts = false;
    bool reads_text = false;  ///< or space
    bool prepared = false;    ///< bytes that cannot come are known
    bool forced_known = false;
    Forced forced;
  };
  struct Hash {
    std::size_t operator()(const std::vector<Configuration>& list) const;
    std::size_t operator()(const Configuration& one) const;
  };
  using Work = std::vector<Configuration>;

  void prepare(State& state);
  bool alike(const Configuration& from, std::uint8_t a, std::uint8_t b);
  const TextFacts& facts(Address place);
  StateId discover(StateId state, std::uint8_t byte);
  StateId close(Work work);
  StateId intern(std::vector<Configuration> configurations);
  std::int32_t push(const Configuration& back);
  void expand(const Configuration& from, Work& work);
  void expand_list(const Configuration& from, const Instruction& instruction, Work& work);
  void take_item(const Configuration& from, const ListShape& shape, Work& work);
  void expand_object(const Configuration& from, const Instruction& instruction, Work& work);
  void offer_members(const Configuration& from, const ObjectShape& shape, Work& work);
  void take_value(const Configuration& from, const Instruction& instruction, Work& work);
  bool offers(const Configuration& from, const ObjectShape& shape, std::size_t member) const;
  bool offers_others(const Configuration& from, const ObjectShape& shape) const;
  bool may_follow(const Configuration& from, const ObjectShape& shape) const;
  bool complete(const Configuration& from, const ObjectShape& shape) const;
  void give_back_to(const Configuration& from, Address back, std::int32_t a, Address rule, Work& work);
  std::int32_t with_member(std::int32_t set, std::int32_t member);
  bool has_member(std::int32_t set, std::int32_t member) const;
  void read(const Configuration& from, std::uint8_t byte, Work& work) const;
  bool is_reader(const Configuration& configuration) const;
  const CountedText& text_of(const Instruction& instruction) const;
  Configuration canonical(Configuration configuration);
  std::int32_t canonical_stack(std::int32_t stack);

  std::shared_ptr<const Program> program_;
  std::map<std::pair<std::int64_t, std::int64_t>, CountedText> said_;  ///< by counts
  std::shared_ptr<const CharacterAutomaton> conversation_;
  std::uint32_t longest_token_;
  std::unordered_map<const CountedText*, std::unique_ptr<const TextFacts>> facts_;
  std::vector<const TextFacts*> facts_of_;  ///< [instructions]; null: not yet found
  std::deque<State> states_;
  std::unordered_map<std::vector<Configuration>, StateId, Hash> known_;
  std::vector<Frame> frames_;
  std::unordered_map<Configuration, std::int32_t, Hash> known_frames_;
  std::vector<std::int32_t> canonical_stacks_;
  std::vector<std::vector<bool>> sets_;
  std::map<std::vector<bool>, std::int32_t> known_sets_;
  StateId start_ = unknown;
};

}  // namespace retort::grammar
