// How the host calls a policy-gradient algorithm (retort.rl/1), in stages and in `plugins check` alike: what a step is,
// how it is cut into updates and parts, and what is checked of an answer. B prompts, G samples of each, R = B·G rows, r
// rows of a part, T positions, K named rewards. Matrices are row-major vectors.
#pragma once

#include <retort/abi/rl.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace retort::host {

/// Every signal that retort.rl/1 knows.
inline constexpr std::uint64_t rl_signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS | RETORT_SIGNAL_VALUES |
                                            RETORT_SIGNAL_ENTROPIES | RETORT_SIGNAL_TOKEN_REWARDS |
                                            RETORT_SIGNAL_SAMPLER_LOG_PROBS;

/// One batch of rollouts. What an algorithm did not ask for may be empty, and is not shown to it.
struct RlStep {
  std::int64_t prompts = 0, group_size = 1, positions = 0, maximum_tokens = 0;
  double temperature = 1;
  std::vector<float> rewards, finished;                       ///< [R]
  std::vector<float> reward_parts;                            ///< [R,K]
  std::vector<float> mask, old_log_probs;                     ///< [R,T]
  std::vector<float> token_rewards, old_values;               ///< [R,T]
  std::vector<float> sampler_log_probs, reference_log_probs;  ///< [R,T]
  std::vector<float> advantages, returns;                     ///< [R,T] written by RlCall::advantages
  std::vector<float> keep;                                    ///< [R] likewise: 0 or 1
  std::int64_t rows() const { return prompts * group_size; }
};

/// One optimiser step on rows of a batch of rollouts.
struct RlUpdate {
  std::int64_t number = 0;         ///< from 0 to updates·mini_batches - 1
  std::vector<std::int64_t> rows;  ///< ascending; none where a mini-batch has nothing kept
  std::int64_t tokens = 0, groups = 0;
};

/// The kept rows, `updates` times, each time cut into mini_batches of whole rows, or of whole groups where the
/// algorithm asked for that. More than one mini-batch: in an order drawn from `seed`.
std::vector<RlUpdate> rl_updates(const RlStep& step, const retort_rl_requirements& wanted, std::uint64_t seed);

/// An update's rows in parts of at most `most` rows (at least one row, or one group's where whole groups were asked
/// for), in order.
std::vector<std::span<const std::int64_t>> rl_parts(const RlUpdate& update, const retort_rl_requirements& wanted,
                                                    std::int64_t most);

/// What the policy says now of the rows of a part, [r,T] each; values and entropies where they were asked for.
struct RlPolicy {
  std::vector<float> log_probs, values, entropies;
};

struct RlLoss {
  double loss = 0;
  RlPolicy gradient;  ///< of the loss by each; empty where only the value was wanted
};

using RlMetrics = std::map<std::string, double>;

/// Borrows the component; one thread at a time. Functions throw std::invalid_argument, std::runtime_error or
/// retort::Stopped, beginning with the component's id: what it returned, or what of the contract it broke.
class RlCall {
 public:
  /// Asks for the requirements; checked: known signals and flags, sizes of at least 1.
  RlCall(std::string id, retort_instance* instance, const retort_rl_v1& functions);

  const std::string& id() const { return id_; }
  const retort_rl_requirements& wanted() const { return wanted_; }
  bool wants(std::uint64_t signal) const { return (wanted_.signals & signal) != 0; }
  /// Throws std::invalid_argument, naming signals, unless `offered` holds all that were asked for.
  void require_offered(std::uint64_t offered, const std::string& who) const;

  /// Fills step.advantages, keep and (with VALUES) returns. Checked: all written and finite, 0 outside the mask not
  /// required; keep 0 or 1.
  void advantages(RlStep& step, RlMetrics& metrics) const;
  /// `rows`: those of the update, or a part of them; `policy`: what it says of them. Checked: value and gradients
  /// written and finite, 0 where the mask is 0.
  RlLoss loss(const RlStep& step, const RlUpdate& update, std::span<const std::int64_t> rows, const RlPolicy& policy,
              bool with_gradient, RlMetrics& metrics) const;

 private:
  std::string id_;
  retort_instance* instance_;
  const retort_rl_v1& functions_;
  retort_rl_requirements wanted_{};
};

}  // namespace retort::host
