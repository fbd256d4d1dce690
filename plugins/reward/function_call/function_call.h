// The reward for function calls: malformed, refused by the world, or how alike the reference it is.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "call_schema.h"
#include "similarity.h"

namespace retort::call_reward {

/// How the score is made up. The defaults are STAR's where it says something.
struct Scoring {
  SimilarityWeights weights;
  double unequal_cap = 0.99;         ///< highest score of calls that are not equal to the reference's; 1 is off
  double different_state_cap = 0.9;  ///< highest score when both executions give a state and they differ; 1 is off
};

struct Verdict {
  double score = 0.0;      ///< in [0, 1]; 0 for a malformed response
  std::string reason;      ///< empty for a full score
  bool malformed = false;  ///< the response is no list of valid calls
};

/// Scores responses to one tools list after another; the compiled schemas of the latest list are kept. Not thread-safe.
class FunctionCallReward {
 public:
  explicit FunctionCallReward(Scoring scoring) : scoring_(scoring) {}

  /// `tools`: the OpenAI tools array of the items without their own; `items`: as retort/abi/reward.h defines them.
  /// Gives `take` an item each, in order. Throws std::invalid_argument for text that is not such JSON; an item that
  /// cannot be read is an error of its own.
  void score(std::string_view tools, std::string_view items,
             const std::function<void(std::size_t index, const std::string& item)>& take);

  /// 1. A malformed response, an unknown tool or argument, or a schema violation: malformed.
  /// 2. An execution that failed: 0.
  /// 3. A reference: 1 if the calls are equal to it, else their similarity, capped.
  /// 4. No reference: 1.
  Verdict judge(const nlohmann::json& item, const CallSchema& schema) const;

 private:
  nlohmann::json score_item(const nlohmann::json& item) const;
  Verdict against_reference(const nlohmann::json& item, const nlohmann::json& calls) const;

  Scoring scoring_;
  std::string tools_text_;
  std::unique_ptr<CallSchema> schema_;
};

}  // namespace retort::call_reward
