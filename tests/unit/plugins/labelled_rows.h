// Rows of a test through the prototype, with all that comes out of it.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "prototype.h"

namespace retort::stages {

struct Labelled : LabelCounts {
  std::vector<task::Example> accepted;
  std::vector<task::RejectedRow> rejected;
};

inline Labelled label(const std::vector<task::Example>& examples, const std::vector<task::Tool>& tools,
                      const PrototypeComponents& components, const PrototypeOptions& options,
                      const std::function<void(std::size_t done)>& progress) {
  Labelled result;
  std::size_t given = 0;
  const RowStream stream{[&](task::Example& example) {
                           if (given == examples.size()) return false;
                           example = examples[given++];
                           return true;
                         },
                         [&](const task::Example& row) { result.accepted.push_back(row); },
                         [&](const task::RejectedRow& row) { result.rejected.push_back(row); }, progress};
  static_cast<LabelCounts&>(result) = label(stream, tools, components, options);
  return result;
}

}  // namespace retort::stages
