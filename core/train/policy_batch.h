// One batch of rollouts with its scores, as a policy-gradient algorithm sees it. Internal to core/train.
#pragma once

#include <span>
#include <vector>

#include "train/plugin_node.h"
#include "train/policy_gradient.h"
#include "train/rollouts.h"

namespace retort::train {

/// Log-probabilities and values are the learner's to add; T = positions, the longest response.
struct PolicyBatch {
  std::vector<Sequence> sequences;  ///< [R]
  host::RlStep step;
};

/// Samples and scores. One thread.
class PolicyBatches {
 public:
  /// Borrows all.
  PolicyBatches(const PolicyGradientJob& job, const CallModule& policy, const std::vector<task::Example>& examples,
                const std::vector<Sequence>& prompts);
  /// Of these prompts, less those with an answer that the reward cannot score. Throws std::runtime_error where none is
  /// left.
  PolicyBatch make(std::span<const std::size_t> batch, std::uint64_t seed, MetricMap& metrics);

 private:
  const PolicyGradientJob& job_;
  const CallModule& policy_;
  RolloutSampler sampler_;
};

}  // namespace retort::train
