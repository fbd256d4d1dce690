// One update's loss over the rows of a call: what all algorithms do around their own ratio. Weighs each token's
// advantage for a sampler that is another program, leaves out responses that have drifted away, adds the KL.
#pragma once

#include <optional>
#include <retort/rl.hpp>
#include <vector>

#include "options.h"
#include "token_sum.h"

namespace retort::rl {

/// What an algorithm's own loss of one token is made from.
struct TokenInputs {
  double advantage = 0;  ///< weighed already
  double log_prob = 0, old_log_prob = 0;
  double row_advantage = 0;  ///< mean of the row's advantages, weighed as the token's
  double row_log_ratio = 0;  ///< mean of log π − log π_old over the row's tokens
};

/// Immutable.
class Objective {
 public:
  /// `kl`: of the loss; nothing where it is in the rewards or there is none. Throws std::invalid_argument, naming the
  /// parameter, for values that do not fit together.
  Objective(const ObjectiveParams& params, const std::optional<KlParams>& kl);

  /// Adds signals, updates and mini-batches.
  void add_to(RlRequirements& wanted) const;
  Aggregation aggregation() const { return aggregation_; }
  /// Throws std::invalid_argument unless the batch has what it asked for.
  void check(const RlBatch& batch, const RlGradient& gradient) const;

  /// Constants of the rows of a call: [r,T] weights of the policy losses, [r] means.
  struct Rows {
    std::int64_t positions = 0;
    std::vector<double> weights, advantages, log_ratios;
    double weight(std::int64_t r, std::int64_t t) const { return weights[static_cast<std::size_t>(r * positions + t)]; }
  };
  Rows rows(const RlBatch& batch) const;

  /// `own(inputs)` is the algorithm's TokenLoss.
  template <typename Own>
  TokenTerms terms(const RlBatch& batch, const Rows& rows, std::int64_t r, std::int64_t t, const Own& own) const {
    const auto row = static_cast<std::size_t>(r);
    TokenTerms token;
    token.weight = rows.weight(r, t);
    const TokenInputs inputs{token.weight * static_cast<double>(batch.advantages(r, t)),
                             static_cast<double>(batch.log_probs(r, t)), static_cast<double>(batch.old_log_probs(r, t)),
                             token.weight * rows.advantages[row], rows.log_ratios[row]};
    token.ratio = std::exp(inputs.log_prob - inputs.old_log_prob);
    token.policy = own(inputs);
    if (kl_coefficient_ > 0) add_divergence(batch, r, t, inputs, token.policy);
    return token;
  }

  /// The loss of a call, with its metrics; `own` as above.
  template <typename Own>
  RlAlgorithm::Result loss(const RlBatch& batch, const RlGradient& gradient, const Own& own) const {
    check(batch, gradient);
    const Rows constants = rows(batch);
    const TokenSum sum = sum_tokens(batch, gradient, aggregation_,
                                    [&](std::int64_t r, std::int64_t t) { return terms(batch, constants, r, t, own); });
    return {sum.loss, metrics(sum)};
  }
  Metrics metrics(const TokenSum& sum) const;

 private:
  void add_divergence(const RlBatch& batch, std::int64_t r, std::int64_t t, const TokenInputs& inputs,
                      TokenLoss& policy) const;

  Aggregation aggregation_;
  SamplerCorrection correction_;
  double off_policy_distance_, kl_coefficient_;
  Kl kl_;
  std::int64_t updates_, mini_batches_;
};

/// Each token's reward where the KL is in it: −β·KL(π_old‖π_ref), and the response's score less `baseline` at its last
/// own token; 0 outside the mask. `token_rewards`: added, may be empty. Returns the divergence summed over the
/// response. Throws std::invalid_argument, naming the row, for a reward that is not finite.
double rewards_with_divergence(const RlBatch& batch, std::int64_t r, const KlParams& kl,
                               const TensorView<const float>& token_rewards, std::vector<double>& rewards,
                               double baseline = 0);

}  // namespace retort::rl
