// A packaged model answering calls: folder → tokenizer + prompt contract + decoder → utterance in, calls out; and its
// evaluation on a labelled dataset. This is what `retort call`, `retort eval` and the evaluate stage use.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/decoder.h"
#include "text/prompt_contract.h"

namespace retort::runtime {

struct Answer {
  text::ParsedResponse parsed;
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
  const text::PromptContract& contract() const;
  const text::Tokenizer& tokenizer() const;
  const model::ModelFolder& folder() const;
  Decoder& decoder();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One labelled utterance of a dataset.
struct LabelledUtterance {
  std::string utterance;
  std::vector<text::Call> calls;
};

struct ToolScore {
  std::int64_t utterances = 0;  ///< whose expected calls name the tool ("(none)": that expect no call)
  std::int64_t exact = 0;
};

struct Evaluation {
  std::int64_t utterances = 0;
  double exact_match = 0;                     ///< share in [0,1]
  double malformed = 0;                       ///< share in [0,1]
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  ///< of one whole call
  std::map<std::string, ToolScore> tools;
  struct Miss {
    std::string utterance;
    std::vector<text::Call> expected;
    std::string found;
    std::string reason;
  };
  std::vector<Miss> misses;                     ///< every one, in dataset order
  std::vector<std::vector<TokenId>> responses;  ///< raw tokens of each, in dataset order
};

/// Answers every utterance once after a warm-up of 20; `progress(done, total)` may be empty; it returns false to stop
/// early (the function then throws std::runtime_error).
Evaluation evaluate(CallModel& model, const std::vector<LabelledUtterance>& data,
                    const std::function<bool(std::int64_t, std::int64_t)>& progress = {});

}  // namespace retort::runtime
