// A packaged model answering calls: folder → tokenizer + prompt contract + decoder → conversation in, calls out. This
// is what `retort call`, `retort eval` and the evaluate stage use; measure/evaluation.h scores it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/decoder/decoder.h"
#include "task/prompt_contract.h"

namespace retort::runtime {

struct Answer {
  task::ParsedResponse parsed;
  std::vector<TokenId> tokens;  ///< the raw response
  std::string text;             ///< the raw response as text, special tokens included
  double milliseconds = 0;      ///< tokenisation + prefill + decode + parse
};

/// Used by one thread at a time.
class CallModel {
 public:
  /// `folder` needs config.json, weights, tokenizer.json and retort.json with "task". Errors name what is missing.
  CallModel(const std::filesystem::path& folder, DecoderOptions options);
  ~CallModel();
  Answer answer(std::string_view utterance, std::int64_t max_new_tokens = 256);
  /// With earlier turns and, where the form takes any, tools of its own. Throws std::invalid_argument for a
  /// conversation that the form cannot show, and for one that the context does not hold: nothing of it is ever cut
  /// away.
  Answer answer(const task::Conversation& conversation, std::int64_t max_new_tokens = 256);
  const task::PromptContract& contract() const;
  const text::Tokenizer& tokenizer() const;
  const model::ModelFolder& folder() const;
  Decoder& decoder();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
