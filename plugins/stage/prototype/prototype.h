// Runs the prototype over a dataset: the teacher labels, the environment executes, the reward judges, and only what it
// accepts becomes training data (rejection sampling, arXiv 2504.13471 section 2).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "task/dataset.h"

namespace retort::stages {

/// The components that the prototype is made of; texts as the ABI's headers define them.
struct PrototypeComponents {
  std::function<std::string(std::string_view requests)> complete;
  std::function<std::string(std::string_view tools, std::string_view items)> score;
  std::function<std::string(std::string_view batches)> execute;  ///< empty: nothing is executed
};

struct PrototypeOptions {
  double threshold = 1.0;        ///< least score of a row that is kept
  bool reference = false;        ///< judge against the calls that a row already has
  std::size_t batch_size = 256;  ///< rows sent to the teacher at once
};

struct Labelled {
  std::vector<task::Example> accepted;
  std::vector<task::RejectedRow> rejected;          ///< line: 1-based number of the example
  std::map<std::string, std::int64_t> rejected_by;  ///< teacher_error, refused, malformed, execution, score
};

/// Labels `examples`; calls that a row already has go to the teacher as its recorded answer. `progress` is told the
/// rows done and may throw to stop. Throws std::runtime_error when a component answers with something else than its
/// interface says.
Labelled label(const std::vector<task::Example>& examples, const std::vector<task::Tool>& tools,
               const PrototypeComponents& components, const PrototypeOptions& options,
               const std::function<void(std::size_t done)>& progress);

}  // namespace retort::stages
