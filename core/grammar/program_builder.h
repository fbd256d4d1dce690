// From rules and envelopes to programs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grammar/program.h"
#include "grammar/schema_rules.h"
#include "task/call_envelope.h"

namespace retort::grammar {

/// What a task may ask of a grammar beyond its tools. All off by default.
struct GrammarOptions {
  /// Free strings (without enum, const, pattern, format) and items of free lists must be said in the conversation: the
  /// texts given to Grammar::begin(), at word borders, without regard to case.
  bool values_from_utterance = false;
  /// Whether an answer without a call is allowed where the envelope has one. Where it is not, an answer is calls and no
  /// text before them, which might never end.
  bool no_call = true;
  /// Calls in an answer, at most; 0: as many as the form holds.
  std::int64_t most_calls = 0;
  /// A call may lack required arguments that the user has to be asked for: the answer then has what is known, and
  /// whoever reads it sees what is missing (schema/argument_schema.h says which).
  bool ask_back = false;
  /// Values that replace the enum of a tool's argument: {"tool": {"argument": ["value", …]}}.
  std::map<std::string, std::map<std::string, std::vector<std::string>>> enums;

  bool operator==(const GrammarOptions&) const = default;
};

/// JSON that fits `rules`, and nothing before or behind it.
std::shared_ptr<const Program> schema_program(const SchemaRules& rules, const task::JsonStyle& style,
                                              std::vector<TokenId> ends = {});

/// Answers of a prompt form. Throws std::invalid_argument, beginning with the tool's name and the JSON pointer, as
/// SchemaDocument and schema_rules().
std::shared_ptr<const Program> envelope_program(const task::CallEnvelope& envelope, const GrammarOptions& options = {});

/// Emits instructions. Rules of several schemas may go into one program.
class ProgramBuilder {
 public:
  ProgramBuilder(task::JsonStyle style, bool from_conversation)
      : style_(style), from_conversation_(from_conversation) {}

  /// The rule for JSON values of `rules`: that of rule 0; those of the others follow it.
  Address json(const SchemaRules& rules);
  Address emit(Instruction instruction);
  Instruction& at(Address address) { return program_.code[static_cast<std::size_t>(address)]; }
  Address literal(const std::string& bytes, Address next);  ///< `next` itself for ""
  Address choose(std::vector<Address> targets);
  Address call(Address rule, Address next);
  Address parts(const task::EnvelopeParts& parts, Address next);
  /// Reads a text of `text`.
  Address text(std::shared_ptr<const CountedText> text, Writing writing, bool from_conversation, Address next);
  Address give_back();
  /// Begins a list or an object, whose `close` and `between` the caller has made.
  Address list(ListShape shape);
  Address object(ObjectShape shape, const std::vector<std::string>& keys, const std::vector<TokenId>& tokens);
  std::int32_t next_list() const { return static_cast<std::int32_t>(program_.lists.size()); }
  std::shared_ptr<const Program> finish(Address start, std::vector<TokenId> ends);

 private:
  Address form(const Form& form, const std::vector<Address>& rules);
  Address array(const Form& form, const std::vector<Address>& rules);
  Address object_form(const Form& form, const std::vector<Address>& rules);
  Address space(Address next, bool loose_only);

  task::JsonStyle style_;
  bool from_conversation_;
  Program program_;
  Address give_back_ = -1;
};

}  // namespace retort::grammar
