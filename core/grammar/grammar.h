// A grammar over tokens: which may come next, as masks over the vocabulary, and which must. README.md says how it works
// and what it refuses.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/byte_automaton.h"
#include "grammar/vocabulary.h"

namespace retort::grammar {

/// The tokens that may come: a list where they are few, else bits.
struct TokenMask {
  std::vector<std::uint64_t> bits;  ///< [V/64]; empty: see `few`
  std::vector<TokenId> few;         ///< ascending
  std::int64_t count = 0;

  bool allows(TokenId token) const;
};

/// Where one answer stands in a Grammar. A value; belongs to the grammar that made it.
struct GrammarState {
  StateId state = no_state;
  bool ended = false;            ///< an end token was read
  std::vector<TokenId> tokens;   ///< read so far
  std::uint64_t generation = 0;  ///< of the grammar's memory that `state` is a number of
};

struct GrammarLimits {
  std::size_t mask_bytes = 32U << 20U;   ///< kept masks (19 kB each at 152k tokens)
  std::size_t state_bytes = 64U << 20U;  ///< kept states
};

class ClassTrie;
class MaskBuilder;

/// Used by one thread at a time. Shares program and vocabulary, which are immutable.
class Grammar {
 public:
  Grammar(std::shared_ptr<const Program> program, std::shared_ptr<const Vocabulary> vocabulary,
          GrammarLimits limits = {});
  ~Grammar();

  /// The texts that values are taken from (GrammarOptions::values_from_utterance). States given before go on from the
  /// tokens that they have read; masks that do not depend on what was said are kept.
  void set_conversation(const std::vector<std::string>& texts);

  GrammarState begin();
  /// Goes on with `token`; false, with the state as it was, where it may not come.
  bool advance(GrammarState& state, TokenId token);
  /// Valid until the next call of a member.
  const TokenMask& mask(const GrammarState& state);
  /// Whether the answer may end here; with end tokens, by one of them.
  bool accepts(const GrammarState& state);
  /// The tokens that come next whatever the model says, as the tokenizer writes them there: what a longer token could
  /// still replace is left out, and nothing is forced behind tokens that the tokenizer would not have made. `before`:
  /// tokens that precede the answer.
  std::vector<TokenId> forced(const GrammarState& state, const text::Tokenizer& tokenizer);

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  const Program& program() const { return *program_; }
  const std::shared_ptr<const Program>& shared_program() const { return program_; }
  std::size_t states() const { return automaton_->states(); }
  std::size_t kept_masks() const { return masks_.size(); }

 private:
  void refresh(GrammarState& state);
  StateId state_of(const GrammarState& state);
  StateId replay(const std::vector<TokenId>& tokens);
  StateId step(StateId state, TokenId token);
  void forget_masks();
  TokenMask computed(StateId state);
  void find_tokens(StateId state, MaskBuilder& found);
  void walk(const TokenTrie& trie, StateId state, MaskBuilder& found);
  void walk(const TokenTrie& trie, std::size_t begin, std::size_t end, StateId state, MaskBuilder& found);
  void walk_what_was_said(const TokenTrie& trie, std::size_t begin, std::size_t end, const Reader& from,
                          MaskBuilder& found);
  void walk_beside_slices(StateId state, std::uint32_t free, MaskBuilder& found);
  void walk_by_first_byte(StateId state, MaskBuilder& found);
  void close_free_text(StateId state, MaskBuilder& found);
  const ClassTrie* classes_of(const CountedText& text);
  bool continues(StateId state, std::string_view tail);
  std::vector<TokenId> find_forced(StateId state, std::vector<TokenId> context, const text::Tokenizer& tokenizer);
  void forget();

  std::shared_ptr<const Program> program_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  GrammarLimits limits_;
  std::unique_ptr<ByteAutomaton> automaton_;
  std::vector<std::int32_t> mask_of_;  ///< [states] into masks_, or -1; below: -2 - i for said_masks_[i]
  std::vector<TokenMask> masks_;       ///< whatever was said
  std::vector<TokenMask> said_masks_;  ///< of this conversation
  std::vector<StateId> said_states_;   ///< that have such masks
  std::size_t mask_bytes_ = 0;
  std::size_t walked_ = 0;    ///< nodes of tries since the last mask
  bool met_said_ = false;     ///< whether what was found since then depends on what was said
  std::vector<Reader> path_;  ///< of a walk
  /// What must come behind a state and the last tokens, whatever was said.
  std::map<std::pair<StateId, std::vector<TokenId>>, std::vector<TokenId>> forced_;
  /// Of texts whose masks take long walks: from the second one on.
  std::unordered_map<const CountedText*, std::unique_ptr<const ClassTrie>> class_tries_;
  std::uint64_t generation_ = 0;
};

}  // namespace retort::grammar
