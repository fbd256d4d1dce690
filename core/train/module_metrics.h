// The numbers that a component reports for one module after the other, as lines of metrics.jsonl and as means.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "host/algorithm/site_view.h"
#include "train/hooks.h"

namespace retort::train {

class ModuleMetrics {
 public:
  explicit ModuleMetrics(const RunHooks& hooks) : hooks_(hooks) {}

  /// A line for each number, its step the count of those before it under the same name.
  void add(const host::CallMetrics& metrics) {
    for (const auto& [name, value] : metrics) {
      auto& [sum, count] = sums_[name];
      hooks_.metric(name, count, value);
      sum += value;
      ++count;
    }
  }
  /// The mean over all modules that reported a number, as the stage's figure of that name.
  void record_means() const {
    for (const auto& [name, total] : sums_) hooks_.metric(name, -1, total.first / static_cast<double>(total.second));
  }

 private:
  const RunHooks& hooks_;
  std::map<std::string, std::pair<double, std::int64_t>> sums_;
};

}  // namespace retort::train
