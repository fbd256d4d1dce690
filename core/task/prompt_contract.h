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
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "task/call.h"
#include "task/call_envelope.h"
#include "text/tokenizer.h"

namespace retort::task {

/// A response that is not a list of calls, and why.
struct Malformed {
  std::string reason;
};

/// How functional_tokens writes what can be written in several ways. Every way is read alike.
struct ResponseStyle {
  /// The word before the last item of a list in the language of the utterances; "" has every list stand item by item.
  std::string conjunction = "and";
  std::string argument_order = "spoken";  ///< "spoken" or "alphabetical"
};

using ParsedResponse = std::variant<std::vector<Call>, Malformed>;

/// Immutable; every const function may be called from any thread.
class PromptContract {
 public:
  /// `format`: "functional_tokens" or "json". Throws std::invalid_argument for another, and for another order.
  PromptContract(std::string format, std::vector<Tool> tools, ResponseStyle style = {});

  const std::string& format() const { return format_; }
  const std::vector<Tool>& tools() const { return tools_; }
  /// What the tokenizer must hold as special tokens, in order: <|pad|>, <|user|>, <|assistant|>, <|end|>, then for
  /// functional_tokens <|none|>, <|next|>, a <|call:NAME|> for every tool and a <|ARGUMENT|> for every distinct
  /// argument name.
  std::vector<std::string> special_tokens() const;
  /// The text whose BPE pieces matter: utterance or value with its leading space.
  std::string training_text(std::string_view utterance, const std::vector<Call>& calls) const;

  std::vector<text::TokenId> prompt(const text::Tokenizer& tokenizer, std::string_view utterance) const;
  /// The answer to `utterance`. Ends with <|end|>. Throws std::invalid_argument for a call of an unknown tool or
  /// argument, for a value that is not a string where the schema allows only strings, and when the tokenizer lacks a
  /// special token.
  std::vector<text::TokenId> response(const text::Tokenizer& tokenizer, std::string_view utterance,
                                      const std::vector<Call>& calls) const;
  /// With or without the closing <|end|>; a response without one (cut short) is malformed. Checks each call against its
  /// tool's schema: invalid arguments are malformed too, with invalid_reason's text.
  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response) const;
  text::TokenId end_token(const text::Tokenizer& tokenizer) const;
  /// What response() can write and parse() takes, for core/grammar. Throws where the tokenizer lacks a special token.
  CallEnvelope envelope(const text::Tokenizer& tokenizer) const;

  /// {"format": …, "conjunction": …, "argument_order": …, "tools": […]}: stored in retort.json under "task".
  nlohmann::json to_json() const;
  static PromptContract from_json(const nlohmann::json& json, const std::string& origin);

 private:
  const Tool* tool(std::string_view name) const;
  void append_call(const text::Tokenizer& tokenizer, std::string_view utterance, const Call& call,
                   std::vector<text::TokenId>& ids) const;
  ParsedResponse parse_functional(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& body) const;
  ParsedResponse parse_json(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& body) const;
  ParsedResponse checked(std::vector<Call> calls) const;

  std::string format_;
  std::vector<Tool> tools_;
  ResponseStyle style_;
  std::map<std::string, std::string, std::less<>> argument_of_token_;  ///< "<|room|>" → "room"
};

}  // namespace retort::task
