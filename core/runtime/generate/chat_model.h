// A model folder that is asked in whichever prompt form it has: the calls of its task, its own chat template, or plain
// text. Turns messages into prompts and tokens into messages; who samples is generation.h.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/grammar.h"
#include "runtime/decoder/decoder.h"
#include "text/tokenizer.h"

namespace retort::runtime {

/// Used by one thread at a time.
class ChatModel {
 public:
  /// The form follows from the folder: a task in retort.json (its "format"), else a chat template, else "text". Throws
  /// as CallModel and TextModel do.
  ChatModel(const std::filesystem::path& folder, DecoderOptions options);
  ~ChatModel();

  /// "functional_tokens", "json", "chat_template" or "text".
  const std::string& form() const;
  /// The prompt of OpenAI `messages` with OpenAI `tools` (null: the model's own, or none), ready for the assistant's
  /// answer. Throws std::invalid_argument, beginning with the place in the request, for what the form cannot say:
  /// messages at all where it is "text"; other tools than the task's, or turns that its training did not have, where it
  /// is a task's of fixed tools.
  std::vector<TokenId> prompt(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& tools) const;
  /// Of a text as it stands, special tokens included, behind the token that the tokenizer puts first.
  std::vector<TokenId> prompt(std::string_view text) const;
  /// What follows a prompt, special tokens included. Throws where a token has no row in the embedding.
  std::vector<TokenId> continuation(std::string_view text) const;
  const std::vector<TokenId>& ends() const;  ///< the tokens that end an answer; may be empty
  /// What an answer to `messages` with OpenAI `tools` (null: the model's own) may be: calls of them, or none, with the
  /// package's options (package_grammar.h); `messages` null: values are taken from anywhere. The last one is kept.
  /// Throws std::invalid_argument where the form has no calls, and for a schema without a grammar.
  std::shared_ptr<grammar::Grammar> grammar(const nlohmann::ordered_json& tools,
                                            const nlohmann::ordered_json& messages = nullptr);

  /// Whether an answer's text has its special tokens, which the calls of a task are made of.
  bool shows_special_tokens() const;
  /// What an answer says as an OpenAI assistant message: "content", or "tool_calls" with "content" null where the form
  /// is a task's. A malformed answer has its text as "content", and why in `malformed`, else empty.
  nlohmann::json message(const std::vector<TokenId>& tokens, const std::string& text, std::string& malformed) const;

  /// {"architecture", "parameters", "layers", "hidden_size", "vocabulary", "tokenizer": sha256 of tokenizer.json,
  /// "context", "prompt": form()}.
  nlohmann::json description() const;
  const text::Tokenizer& tokenizer() const;
  Decoder& decoder();
  const Decoder& decoder() const;

 private:
  struct State;
  void compile(const nlohmann::ordered_json& tools);
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
