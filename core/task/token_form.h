// What the forms "functional_tokens" and "json" share: special tokens for the roles, and earlier turns in compact form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "task/prompt_form.h"

namespace retort::task {

/// How functional_tokens writes what can be written in several ways. Every way is read alike.
struct ResponseStyle {
  /// The word before the last item of a list in the language of the utterances; "" has every list stand item by item.
  std::string conjunction = "and";
  std::string argument_order = "spoken";  ///< "spoken" or "alphabetical"
  /// Whether prompts hold more than one user message; without it a conversation that does is refused, because the model
  /// has never seen one.
  bool context = false;
  /// How often a prompt holds the message that is to be answered, 1 or more: where a model reads from left to right,
  /// its second reading of a word knows what follows it (re-reading, Xu et al. 2024, arXiv 2309.06275; "just read
  /// twice", Arora et al. 2024, arXiv 2407.05483).
  std::int64_t readings = 1;
};

class TokenForm : public PromptForm {
 public:
  std::vector<std::string> special_tokens() const override;
  std::string training_text(const Conversation& conversation, const Message* answer) const override;
  std::vector<text::TokenId> prompt(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                    const std::vector<Tool>& tools) const override;
  std::vector<text::TokenId> response(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                      const std::vector<Tool>& tools, const Message& answer) const override;
  text::TokenId end_token(const text::Tokenizer& tokenizer) const override;
  std::optional<text::TokenId> prompt_end_token(const text::Tokenizer& tokenizer) const override;
  std::vector<std::string> losses(const Conversation& conversation, const Message* answer) const override;
  bool takes_any_tools() const override { return false; }
  nlohmann::json to_json() const override;

 protected:
  /// Throws std::invalid_argument for readings below 1.
  explicit TokenForm(ResponseStyle style);
  /// Appends calls in the form's own way; there is one at least. `said`: what users said so far.
  virtual void append_calls(const text::Tokenizer& tokenizer, std::string_view said, const std::vector<Call>& calls,
                            std::vector<text::TokenId>& ids) const = 0;
  /// Appends what says that no call answers.
  virtual void append_none(const text::Tokenizer& tokenizer, std::vector<text::TokenId>& ids) const = 0;
  /// The texts of calls, each behind a line feed.
  virtual std::string calls_text(const std::vector<Call>& calls) const = 0;

  const ResponseStyle style_;

 private:
  void append_turn(const text::Tokenizer& tokenizer, std::string_view said, const Message& message,
                   std::vector<text::TokenId>& ids) const;
};

/// The id of a special token that the task needs. Throws std::invalid_argument where the tokenizer lacks it.
text::TokenId special_id(const text::Tokenizer& tokenizer, const std::string& token);
std::string compact_json(const nlohmann::json& json);

/// "functional_tokens". `tools` may be empty.
std::shared_ptr<const PromptForm> functional_form(const std::vector<Tool>& tools, const ResponseStyle& style);
/// "json".
std::shared_ptr<const PromptForm> json_form(const ResponseStyle& style);

}  // namespace retort::task
