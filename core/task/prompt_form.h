// What a model sees of a conversation and how its answer is read: one interface, three forms (prompt_contract.h says
// what each looks like). A form is what a task's prompt contract is made of; users talk to the contract.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "task/call_envelope.h"
#include "task/conversation.h"
#include "text/tokenizer.h"

namespace retort::task {

/// A response that is not a list of calls, and why.
struct Malformed {
  std::string reason;
};

using ParsedResponse = std::variant<std::vector<Call>, Malformed>;

/// Immutable; every const function may be called from any thread. `tools` are those that the conversation may use.
class PromptForm {
 public:
  virtual ~PromptForm() = default;

  virtual std::string_view name() const = 0;  ///< "functional_tokens", "json" or "chat_template"
  /// What the tokenizer must hold as special tokens beside its own, in order.
  virtual std::vector<std::string> special_tokens() const = 0;
  /// The text whose pieces matter to a tokenizer that is made for this task; `answer` may be null.
  virtual std::string training_text(const Conversation& conversation, const Message* answer) const = 0;

  /// Everything before the answer, which the tokens of response() follow. Throws std::invalid_argument for a
  /// conversation that the form cannot show: naming the message and why.
  virtual std::vector<text::TokenId> prompt(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                            const std::vector<Tool>& tools) const = 0;
  /// The assistant's turn, its end token included and nothing behind it: exactly the tokens to learn.
  virtual std::vector<text::TokenId> response(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                              const std::vector<Tool>& tools, const Message& answer) const = 0;
  virtual text::TokenId end_token(const text::Tokenizer& tokenizer) const = 0;
  /// The one token that ends every prompt and stands nowhere else in a first turn; none where no token does.
  virtual std::optional<text::TokenId> prompt_end_token(const text::Tokenizer& tokenizer) const = 0;
  /// `body`: a response less its end token. The calls as they stand; whether tools allow them is not asked.
  virtual ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& body) const = 0;

  /// What response() can write and parse() takes of calls to `tools`, for core/grammar. Throws where the tokenizer
  /// lacks a special token.
  virtual CallEnvelope envelope(const text::Tokenizer& tokenizer, const std::vector<Tool>& tools) const = 0;

  /// What of the conversation and its answer no token shows, by its description: nothing is dropped unsaid.
  virtual std::vector<std::string> losses(const Conversation& conversation, const Message* answer) const = 0;
  /// Whether a conversation may bring other tools than the task's.
  virtual bool takes_any_tools() const = 0;
  /// Keys of the task in retort.json beside "format" and "tools".
  virtual nlohmann::json to_json() const = 0;
};

}  // namespace retort::task
