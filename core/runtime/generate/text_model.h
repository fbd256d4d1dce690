// A model folder that continues text: tokenizer and decoder, no task. What `retort generate` uses; a model that answers
// calls is call_model.h.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_folder.h"
#include "runtime/generate/generation.h"
#include "text/tokenizer.h"

namespace retort::runtime {

struct Continuation {
  std::vector<TokenId> prompt;  ///< as fed
  Generation generation;
  std::string text;                 ///< of the generated tokens, special ones left out; ends before a stop string
  bool ended = false;               ///< by an end token
  std::optional<std::string> stop;  ///< the stop string that ended it; its tokens are among the generated ones
};

/// Used by one thread at a time.
class TextModel {
 public:
  /// `folder` needs config.json, weights and tokenizer.json. Throws as ModelFolder, Tokenizer and Decoder do, and
  /// std::invalid_argument where the tokenizer's own vocabulary has more ids than the embedding has rows. Added tokens
  /// without a row cost one warning in the log; a prompt with one of them is refused.
  TextModel(const std::filesystem::path& folder, DecoderOptions options);
  ~TextModel();

  /// "<|…|>" and the like in `prompt` are special tokens. Tokenizer::begin_token() is put first where there is one and
  /// the prompt does not begin with it: Llama and the stories want it, Qwen and SmolLM2 do not. `options.ends` empty:
  /// the model's own. `piece` (may be empty) gets text as soon as it is whole characters; all pieces make
  /// Continuation::text. Throws as generate(). The first of `stops` to come ends it, and is no part of the text.
  Continuation continue_text(std::string_view prompt, GenerationOptions options,
                             const std::function<void(std::string_view)>& piece = {},
                             std::vector<std::string> stops = {});
  const text::Tokenizer& tokenizer() const;
  const model::ModelFolder& folder() const;
  Decoder& decoder();
  /// Embedding rows that no token uses, as [first, end) behind the tokenizer's last id; empty where first == end.
  std::pair<std::int64_t, std::int64_t> padding_rows() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
