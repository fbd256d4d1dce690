// One batch of rollouts with its scores, as a policy-gradient algorithm sees it. Internal to core/train.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "train/plugin_node.h"
#include "train/policy_gradient.h"
#include "train/processes.h"
#include "train/rollouts.h"

namespace retort::train {

/// Log-probabilities and values are the learner's to add; T = positions, the longest response.
struct PolicyBatch {
  std::vector<Sequence> sequences;  ///< [R]
  host::RlStep step;
  std::vector<float> teacher_log_probs;  ///< [R,T]; empty without a teacher
  std::string unscored;                  ///< the first reason why prompts were left out
  std::vector<float> entropies;          ///< [R,T] of the policy that sampled; until they are reported
};

/// The groups of `batch` with a row that advantages() kept.
PolicyBatch kept_groups(const PolicyBatch& batch);
/// Rows of `more` follow those of `batch`, padded to the longer one's T. What advantages() wrote of both is dropped.
void append(PolicyBatch& batch, PolicyBatch more);

/// Prompts from 0 to `count` - 1 that are not in `asked`, at most `wanted` of them, drawn from `seed` alone.
std::vector<std::size_t> other_prompts(std::size_t count, std::span<const std::size_t> asked, std::size_t wanted,
                                       std::uint64_t seed);

/// The rows of all processes, in the order of their ranks, and `metrics` of all: sums of prompts that were not scored,
/// means over rows of the rest. Every process calls it, with what it made itself of its share of the prompts, and gets
/// the same.
PolicyBatch of_all_processes(const Processes& processes, PolicyBatch own, const MetricMap& of_own, MetricMap& metrics);

/// A batch in the middle of its updates, so that a run that was stopped there goes on with the same bytes. `number`: of
/// the batch in the run. Written under a temporary name; throws std::runtime_error for a file that cannot be read or
/// that holds another batch.
void save_policy_batch(const std::filesystem::path& file, const PolicyBatch& batch, std::int64_t number);
PolicyBatch load_policy_batch(const std::filesystem::path& file, std::int64_t number);

/// Samples and scores. One thread.
class PolicyBatches {
 public:
  /// Borrows all.
  PolicyBatches(const PolicyGradientJob& job, const CallModule& policy, const std::vector<task::Example>& examples,
                const std::vector<Sequence>& prompts);
  /// Of these prompts, the first of which is number `first` of the batch, less those with an answer that the reward
  /// cannot score (counted: "unscored_prompts"); no prompts where none is left.
  PolicyBatch make(std::span<const std::size_t> batch, std::size_t first, std::uint64_t seed, MetricMap& metrics);
  std::size_t prompts() const { return prompts_; }

 private:
  const PolicyGradientJob& job_;
  const CallModule& policy_;
  std::size_t prompts_;
  RolloutSampler sampler_;
};

}  // namespace retort::train
