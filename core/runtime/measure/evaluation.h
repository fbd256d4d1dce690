// How well a packaged model answers a labelled dataset: exact match, malformed share, latency and scores by tool.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/generate/call_model.h"

namespace retort::runtime {

/// One labelled utterance of a dataset.
struct LabelledUtterance {
  std::string utterance;  ///< the last user message: what reports show
  std::vector<task::Call> calls;
  task::Conversation conversation = {};  ///< all that is asked; without messages: the utterance alone
  std::vector<std::string> groups = {};  ///< that the row belongs to (row_groups.h)
};

struct Score {
  std::int64_t utterances = 0;
  std::int64_t exact = 0;
};

struct Evaluation {
  std::int64_t utterances = 0;
  double exact_match = 0;                     ///< share in [0,1]
  double malformed = 0;                       ///< share in [0,1]
  double cut = 0;                             ///< share in [0,1] of answers that did not end in time; not malformed
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  ///< of one whole call
  /// By tool: the utterances whose expected calls name it ("(none)": that expect no call).
  std::map<std::string, Score> tools;
  std::map<std::string, Score> groups;
  struct Miss {
    std::string utterance;
    std::vector<task::Call> expected;
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
