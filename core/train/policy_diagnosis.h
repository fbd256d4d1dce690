// Warnings that say what to do when reinforcement learning goes wrong in one of the ways in which it usually does. No
// LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "train/hooks.h"

namespace retort::train {

/// Looks at the metrics of every batch of rollouts and logs each kind of warning once. One thread.
class PolicyDiagnosis {
 public:
  /// Borrows the hooks.
  explicit PolicyDiagnosis(const RunHooks& hooks) : hooks_(hooks) {}

  /// Reads, where they are there: "policy_entropy" (nats a token: below a tenth of the first batch's),
  /// "reference_divergence" (nats a token: above 1), "reward_spread" (0 in eight batches one after the other),
  /// "malformed" (above .9 in eight batches one after the other).
  void look(std::int64_t batch, const std::map<std::string, double>& metrics);

 private:
  void warn(const std::string& kind, const std::string& message);

  const RunHooks& hooks_;
  double first_entropy_ = -1;
  int constant_ = 0, malformed_ = 0;
  std::map<std::string, bool> warned_;
};

}  // namespace retort::train
