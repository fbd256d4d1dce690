// A reward that a teacher gives: it reads the conversation and the answer and says how good the answer is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "prompt.h"

namespace retort::llm_judge {

struct JudgeOptions {
  std::string prompt;             ///< see Prompt
  std::int64_t samples = 1;       ///< judgements of an item; their mean counts
  double temperature = 0.0;       ///< of the judge; above 0 where there are several samples
  std::int64_t max_tokens = 256;  ///< of a judgement
  double most_spread = 1.0;       ///< between judgements; an item on which they differ more has no score
};

/// Asks in one call for all items that can be judged. Not thread-safe.
class LlmJudge {
 public:
  using Take = std::function<void(std::size_t index, const std::string& item)>;
  /// Sends `count` chat requests (a JSON array) to the teacher; calls back with each item that it gives.
  using Ask = std::function<void(const std::string& requests, std::size_t count,
                                 const std::function<void(std::size_t index, std::string_view item)>& answered)>;
  /// Throws std::invalid_argument for a prompt without sense, and for several samples that would all be the same.
  explicit LlmJudge(JudgeOptions options);

  /// What retort_reward_v1.scores writes: "score", the mean of the judgements, and "spread", their highest less their
  /// lowest.
  static std::string scores();

  /// `tools`, `items`: as retort/abi/reward.h defines them. Gives `take` an item each as soon as it is known. An answer
  /// that is malformed scores 0 without the judge being asked; an item whose judgements are all unreadable, or that the
  /// teacher could not answer, is an error of its own. Throws std::invalid_argument for texts that are no JSON arrays,
  /// and what `ask` throws.
  /// Several judges are asked one after the other, and all their judgements count alike.
  void score(std::string_view tools, std::string_view items, const std::vector<Ask>& judges, const Take& take) const;

 private:
  nlohmann::json request_for(const nlohmann::json& item, const nlohmann::json& tools) const;

  JudgeOptions options_;
  Prompt prompt_;
};

}  // namespace retort::llm_judge
