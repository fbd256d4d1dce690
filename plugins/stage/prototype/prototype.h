// Runs the prototype over a dataset: teachers label, the environment executes, and what passes the funnel of checks
// (format, schema, execution, semantics; then difficulty) becomes training data (rejection sampling, arXiv 2504.13471
// section 2; the funnel as in APIGen, arXiv 2406.18518).
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
#include "functions.h"
#include "host/algorithm/reward_call.h"
#include "task/dataset.h"

namespace retort::stages {

/// The components that the prototype is made of; texts as the ABI's headers define them. Those that answer item by item
/// call `take` with each index below `count` once, as host/algorithm/{teacher,reward}_call.h see to.
struct PrototypeComponents {
  Complete complete;               ///< teacher 0
  std::vector<Complete> teachers;  ///< teacher 1 and so on
  std::function<void(std::string_view tools, std::string_view items, std::size_t count,
                     const std::function<void(std::size_t index, host::RewardItem item)>& take)>
      score;  ///< the first score of an item decides
  /// The outcome of `calls` on a fresh world; empty: nothing is executed.
  std::function<nlohmann::json(const nlohmann::json& calls)> execute;
};

struct PrototypeOptions {
  double threshold = 1.0;            ///< least score of a row that is kept
  bool reference = false;            ///< judge against the calls that a row already has
  std::size_t batch_size = 256;      ///< rows that go through the functions together
  AnswerJournal* journal = nullptr;  ///< where answers are kept as they come, and known ones taken from; borrowed
  std::vector<Function> functions;   ///< empty: one call
  bool check_schema = true;          ///< calls that the tools' schemas do not allow are rejected before any reward
  double least_solve_rate = 0, most_solve_rate = 1;  ///< of rows that are kept, where samples voted
};

/// Where rows come from and go to: a window of batch_size of them is in memory.
struct RowStream {
  std::function<bool(task::Example& example)> next;          ///< false at the end
  std::function<void(const task::Example& row)> accept;      ///< in the order of the rows
  std::function<void(const task::RejectedRow& row)> reject;  ///< line: 1-based number of the example; metadata
                                                             ///< "rejected_at": the step
  std::function<void(std::size_t done)> progress;            ///< rows done; may throw to stop
};

struct LabelCounts {
  std::int64_t rows = 0;
  std::int64_t accepted = 0, rejected = 0;  ///< accepted: rows written, of which a row with an answer makes two
  /// teacher_error, reward_error, refused, length, malformed, schema, execution, score, difficulty
  std::map<std::string, std::int64_t> rejected_by;
  std::map<std::string, std::int64_t> funnel;  ///< rows that passed each of `funnel_steps`
  TeacherCost cost;
};

/// What a row passes, in this order; a row that is rejected is so by the first that it does not pass.
inline constexpr const char* funnel_steps[] = {"answered", "format", "schema", "execution", "semantics", "difficulty"};

/// Labels the rows; calls that a row already has go to the teacher as its recorded answer. Rows whose answer the
/// journal knows are not sent; answers that are errors are not kept, so that they are asked for again. What a component
/// or the stream throws passes through.
LabelCounts label(const RowStream& stream, const std::vector<task::Tool>& tools, const PrototypeComponents& components,
                  const PrototypeOptions& options);

}  // namespace retort::stages
