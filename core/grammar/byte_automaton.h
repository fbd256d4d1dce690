// A program run on bytes and token ids: states are sets of configurations (place, counters, stack), found as they are
// met and kept; transitions are remembered. Stacks are shared (hash-consed), so recursion of a schema costs a number.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar/configuration.h"
#include "grammar/said_parts.h"
#include "grammar/text_facts.h"

namespace retort::grammar {

/// Used by one thread at a time.
class ByteAutomaton {
 public:
  /// `longest_token`: bytes; counters beyond are alike for a mask.
  ByteAutomaton(std::shared_ptr<const Program> program, std::size_t longest_token);
  /// From now on texts that are marked so are parts of `said`, but those whose length no part has; null: any text.
  /// Whether ids are still good: then only what lies behind states that stand in such texts (in_said) has changed.
  bool set_conversation(std::shared_ptr<SaidParts> said);

  StateId start();
  /// Throws std::runtime_error where a state has too many configurations.
  StateId step(StateId state, std::uint8_t byte) {
    const StateId known = states_[static_cast<std::size_t>(state)].next[byte];
    return known == unknown ? discover(state, byte) : known;
  }
  StateId step_token(StateId state, TokenId token);
  Reader reader(StateId state);
  Reader step(const Reader& from, std::uint8_t byte);
  StateId state_of(const Reader& reader) { return reader.state == inside_said ? close(reader.text) : reader.state; }
  /// Whether some reader of the text stands in what was said: what may follow changes with the conversation.
  bool in_said(StateId state) const { return states_[static_cast<std::size_t>(state)].said; }
  bool limited() const { return said_ != nullptr; }
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
  void forget();  ///< all states; ids given so far are void

 private:
  static constexpr StateId unknown = -2;
  struct Frame {
    Configuration back;  ///< where a rule gives back to, and what it finds there; .stack: what lies below
    auto operator<=>(const Frame&) const = default;
  };
  struct State {
    const std::vector<Configuration>* configurations = nullptr;  ///< the key in known_
    std::array<StateId, 256> next;
    std::vector<TokenId> tokens;
    std::vector<std::pair<TokenId, StateId>> token_steps;
    StateId canonical = unknown;
    bool accepts = false;
    bool reads_text = false;  ///< or space
    bool prepared = false;    ///< bytes that cannot come are known
    bool forced_known = false;
    bool said = false;     ///< in_said()
    bool touched = false;  ///< of those: has transitions or other facts of this conversation
    Forced forced;
  };
  /// Stay where they are, many in one piece of memory.
  class States {
   public:
    State& operator[](std::size_t id) { return blocks_[id / in_block][id % in_block]; }
    const State& operator[](std::size_t id) const { return blocks_[id / in_block][id % in_block]; }
    std::size_t size() const { return size_; }
    State& add();
    void clear() { blocks_.clear(), size_ = 0; }

   private:
    static constexpr std::size_t in_block = 64;
    std::vector<std::unique_ptr<State[]>> blocks_;
    std::size_t size_ = 0;
  };
  struct Hash {
    std::size_t operator()(const std::vector<Configuration>& list) const;
    std::size_t operator()(const Configuration& one) const;
  };
  using Work = std::vector<Configuration>;

  State& changed(StateId state);
  SaidParts* said_at(Address place) const { return limited_[static_cast<std::size_t>(place)] ? said_.get() : nullptr; }
  bool may_end_at(const Configuration& configuration) const;
  bool reads_no_bytes(StateId state) const;
  void prepare(State& state);
  bool alike(const Configuration& from, std::uint8_t a, std::uint8_t b);
  const TextFacts& facts(Address place);
  StateId discover(StateId state, std::uint8_t byte);
  StateId close(Work& work);
  StateId close(const Configuration& only);
  StateId intern(const std::vector<Configuration>& configurations);
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
  Configuration canonical(Configuration configuration);
  std::int32_t canonical_stack(std::int32_t stack);

  std::shared_ptr<const Program> program_;
  std::shared_ptr<SaidParts> said_;
  std::vector<Address> marked_;   ///< texts that may be limited to what was said
  std::vector<bool> limited_;     ///< [instructions]: those that are
  std::vector<StateId> touched_;  ///< states of such texts about which something is remembered
  std::uint32_t longest_token_;
  std::unordered_map<const CountedText*, std::unique_ptr<const TextFacts>> facts_;
  std::vector<const TextFacts*> facts_of_;  ///< [instructions]; null: not yet found
  States states_;
  Work work_, readers_, few_;  ///< of one transition; kept so that it allocates nothing
  std::unordered_map<std::vector<Configuration>, StateId, Hash> known_;
  std::vector<Frame> frames_;
  std::unordered_map<Configuration, std::int32_t, Hash> known_frames_;
  std::vector<std::int32_t> canonical_stacks_;
  std::vector<std::vector<bool>> sets_;
  std::map<std::vector<bool>, std::int32_t> known_sets_;
  StateId start_ = unknown;
};

}  // namespace retort::grammar
