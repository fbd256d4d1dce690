// How a model is asked and how it answers: utterance → prompt tokens, calls ↔ response tokens.
//
// Format "functional_tokens" (the default; functional tokens as in Octopus, https://arxiv.org/abs/2404.01744): every
// tool name and every argument name of the task is one special token, and an argument's value follows as plain text
// that begins with a space, so that a value that stands in the utterance has the same tokens there and here:
//   prompt    <|user|> turn on the kitchen light<|assistant|>
//   response  <|call:light_set|><|room|> kitchen<|state|> on<|end|>
// Several calls follow each other; no call at all is <|none|><|end|>. A string is what lies between two special tokens,
// less the one leading space. A list of strings stands as it is said, so that a model copies it in one go; where that
// would not be read back (an item with a comma, with the conjunction, without a letter), <|next|> begins every item:
//   <|call:shopping_add|><|items|> red wine, eggs and bread<|end|>
//   <|call:shopping_add|><|items|><|next|> bread and butter<|next|> eggs<|end|>
// Numbers, booleans, objects and other lists stand as compact JSON, and so does a string where the schema allows other
// types too. Arguments stand in the order in which the utterance says them, so that a model reads them off from left to
// right, and what it does not say comes last; or in alphabetical order. An argument's token is <|NAME|>, or
// <|arg:NAME|> where <|NAME|> would be one of the format's own (an argument called "user", "end", "call:x", …).
//
// Format "json": the response is one compact JSON call a line, {"name":…,"arguments":{…}}, between the same
// <|assistant|> and <|end|>, arguments in alphabetical order; no call is an empty response.
//
// Both forms write conversations with earlier turns ("context") as turns one behind the other, each in the way above;
// what a text answer said follows <|none|> (in "json" it stands alone):
//   <|system|> be brief<|user|> wake me up<|assistant|><|none|> when?<|end|><|user|> at 7<|assistant|>
//   <|call:alarm_set|><|time|> 7<|end|><|tool|> {"ok":true}<|assistant|>
// Tools are the task's: they are in the weights. An answer is calls, never text.
//
// Format "chat_template": the model's own template with the conversation's tools, so that any tools can be brought at
// run time (template_form.h).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "task/call.h"
#include "task/call_envelope.h"
#include "task/conversation.h"
#include "task/normalisation.h"
#include "task/prompt_form.h"
#include "task/token_form.h"
#include "text/tokenizer.h"

namespace retort::task {

/// A prompt form with the task's tools. Immutable; copies share the form; every const function may be called from any
/// thread.
class PromptContract {
 public:
  /// `format`: "functional_tokens" or "json". Throws std::invalid_argument for another, for another order, and for
  /// tools that stand twice.
  PromptContract(std::string format, std::vector<Tool> tools, ResponseStyle style = {});
  /// Of any form.
  PromptContract(std::shared_ptr<const PromptForm> form, std::vector<Tool> tools);

  /// The same with input normalisation: prompts and the calls in responses are normalised, parsed calls of a known
  /// conversation get its spelling back.
  PromptContract with(NormalisationOptions normalisation) const;
  /// The same with options of the call grammar, an object that core/grammar/grammar_options.h reads.
  PromptContract with_grammar(nlohmann::json options) const;
  const nlohmann::json& grammar() const { return grammar_; }  ///< an empty object: what a grammar does by default

  /// The same for a model that was taught what the prompt's tokens are in the call (prompt_tags.h), and how much that
  /// counts beside the answer's own probability. Throws std::invalid_argument for a weight below 0, and above 0 where
  /// arguments have no tokens of their own.
  PromptContract with_tag_weight(double weight) const;
  double tag_weight() const { return tag_weight_; }  ///< 0: the model was not taught it

  const std::string& format() const { return format_; }
  const PromptForm& form() const { return *form_; }
  const std::vector<Tool>& tools() const { return tools_; }
  /// The tools that a conversation may use: its own where the form takes any, else the task's.
  const std::vector<Tool>& tools_of(const Conversation& conversation) const;
  /// What the tokenizer must hold as special tokens, in order: <|pad|>, <|user|>, <|assistant|>, <|end|>, with context
  /// <|system|>, <|tool|>, then for functional_tokens <|none|>, <|next|>, a <|call:NAME|> for every tool and a
  /// <|ARGUMENT|> for every distinct argument name. None for chat_template.
  std::vector<std::string> special_tokens() const { return form_->special_tokens(); }
  /// The text whose BPE pieces matter: messages and values with their leading space.
  std::string training_text(const Conversation& conversation, const Message& answer) const;
  std::string training_text(std::string_view utterance, const std::vector<Call>& calls) const;

  /// The conversation as the model sees it: normalised.
  Conversation seen(const Conversation& conversation) const;

  /// Throws std::invalid_argument for a conversation that the form cannot show, or that brings tools to a form whose
  /// tools are fixed.
  std::vector<text::TokenId> prompt(const text::Tokenizer& tokenizer, const Conversation& conversation) const;
  std::vector<text::TokenId> prompt(const text::Tokenizer& tokenizer, std::string_view utterance) const;
  /// The answer to `conversation`. Ends with the end token. Throws std::invalid_argument for a call of an unknown tool
  /// or argument, for a value that is not a string where the schema allows only strings, and when the tokenizer lacks a
  /// special token.
  std::vector<text::TokenId> response(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                      const Message& answer) const;
  std::vector<text::TokenId> response(const text::Tokenizer& tokenizer, std::string_view utterance,
                                      const std::vector<Call>& calls) const;
  /// With the closing end token; a response without one (cut short) is malformed. Checks each call against its tool's
  /// schema: invalid arguments are malformed too, with invalid_reason's text.
  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response) const;
  /// The same for an answer to `conversation`, which may have tools of its own.
  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response,
                       const Conversation& conversation) const;
  /// The same where other tools decide what is valid (values that replace enums today).
  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response,
                       const Conversation& conversation, const std::vector<Tool>& tools) const;
  text::TokenId end_token(const text::Tokenizer& tokenizer) const { return form_->end_token(tokenizer); }
  /// What response() can write and parse() takes, for core/grammar. Throws where the tokenizer lacks a special token.
  CallEnvelope envelope(const text::Tokenizer& tokenizer) const { return form_->envelope(tokenizer, tools_); }
  CallEnvelope envelope(const text::Tokenizer& tokenizer, const std::vector<Tool>& tools) const {
    return form_->envelope(tokenizer, tools);
  }

  /// What of the conversation and its answer (or null) no token shows, by its description.
  std::vector<std::string> losses(const Conversation& conversation, const Message* answer) const;

  /// {"format": …, "tools": […], and what the form adds}: stored in retort.json under "task".
  nlohmann::json to_json() const;
  static PromptContract from_json(const nlohmann::json& json, const std::string& origin);

 private:
  Message shown(const Conversation& conversation, Message answer) const;
  ParsedResponse parse_with(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response,
                            const std::vector<Tool>& tools, const Conversation* asked) const;

  std::string format_;
  std::vector<Tool> tools_;
  std::shared_ptr<const PromptForm> form_;
  NormalisationOptions normalisation_;
  nlohmann::json grammar_ = nlohmann::json::object();
  double tag_weight_ = 0;
};

}  // namespace retort::task
