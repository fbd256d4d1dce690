// Runs the prototype over a dataset: the teacher labels, the environment executes, the reward judges, and only what it
// accepts becomes training data (rejection sampling, arXiv 2504.13471 section 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "../common/answer_journal.h"
#include "host/algorithm/reward_call.h"
#include "task/dataset.h"

namespace retort::stages {

/// The components that the prototype is made of; texts as the ABI's headers define them. The two that answer item by
/// item call `take` with each index below `count` once, as host/algorithm/{teacher,reward}_call.h see to.
struct PrototypeComponents {
  std::function<void(std::string_view tools, std::string_view requests, std::size_t count,
                     const std::function<void(std::size_t index, nlohmann::json answer)>& take)>
      complete;
  std::function<void(std::string_view tools, std::string_view items, std::size_t count,
                     const std::function<void(std::size_t index, host::RewardItem item)>& take)>
      score;  ///< the first score of an item decides
  /// The outcome of `calls` on a fresh world; empty: nothing is executed.
  std::function<nlohmann::json(const nlohmann::json& calls)> execute;
};

struct PrototypeOptions {
  double threshold = 1.0;            ///< least score of a row that is kept
  bool reference = false;            ///< judge against the calls that a row already has
  std::size_t batch_size = 256;      ///< rows sent to the teacher at once
  AnswerJournal* journal = nullptr;  ///< where answers are kept as they come, and known ones taken from; borrowed
};

struct Labelled {
  std::vector<task::Example> accepted;
  std::vector<task::RejectedRow> rejected;          ///< line: 1-based number of the example
  std::map<std::string, std::int64_t> rejected_by;  ///< teacher_error, reward_error, refused, malformed, execution,
                                                    ///< score
};

/// Labels `examples`; calls that a row already has go to the teacher as its recorded answer. `progress` is told the
/// rows done and may throw to stop. Rows whose answer the journal knows are not sent; answers that are errors are not
/// kept, so that they are asked for again. What a component throws passes through.
Labelled label(const std::vector<task::Example>& examples, const std::vector<task::Tool>& tools,
               const PrototypeComponents& components, const PrototypeOptions& options,
               const std::function<void(std::size_t done)>& progress);

}  // namespace retort::stages
