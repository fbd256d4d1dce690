// The batch side of policy_loss.h: sums token losses over the rows of a call and writes their gradients. What one token
// costs is the algorithm's.
#pragma once

#include <algorithm>
#include <cmath>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>

#include "policy_loss.h"

namespace retort::rl {

/// One token's loss, its parts and derivatives.
struct TokenTerms {
  TokenLoss policy;
  double value_loss = 0, value_weight = 0, by_value = 0;
  double entropy = 0, by_entropy = 0;  ///< the loss is linear in the entropy
  double ratio = 1, weight = 1;        ///< π/π_old, and what the policy loss was multiplied by; for metrics only
  double total() const { return policy.loss + value_weight * value_loss + by_entropy * entropy; }
};

/// What every loss() needs: log_probs, old_log_probs, mask and advantages of one shape [r,T].
inline void check_loss_batch(const RlBatch& batch, const RlGradient& gradient) {
  const std::int64_t rows = batch.log_probs.rows(), positions = batch.log_probs.columns();
  expect_shape(batch.log_probs, "log_probs", rows, positions);
  expect_shape(batch.mask, "mask", rows, positions);
  expect_shape(batch.old_log_probs, "old_log_probs", rows, positions);
  expect_shape(batch.advantages, "advantages", rows, positions);
  if (gradient.log_probs) expect_shape(gradient.log_probs, "log_probs_gradient", rows, positions);
}

[[noreturn]] inline void refuse_not_finite(const RlBatch& batch, std::int64_t r, std::int64_t t) {
  throw std::invalid_argument("row " + std::to_string(r) + ", position " + std::to_string(t) +
                              ": the loss is not finite; advantage " + std::to_string(batch.advantages(r, t)) +
                              ", log-probability " + std::to_string(batch.log_probs(r, t)) + ", when sampled " +
                              std::to_string(batch.old_log_probs(r, t)) +
                              "; if this is training that diverged, lower the learning rate");
}

/// Tokens of a row: Σ mask.
inline double row_tokens(const RlBatch& batch, std::int64_t r) {
  double tokens = 0;
  for (std::int64_t t = 0; t < batch.mask.columns(); ++t) tokens += static_cast<double>(batch.mask(r, t));
  return tokens;
}

/// Sums over the tokens of a call; metrics are shares of the update, so that those of an update's parts add up.
struct TokenSum {
  double loss = 0, clipped = 0, kl = 0, value_loss = 0, entropy = 0, ratio = 0, weight = 0;
};

/// `terms(r, t)` is asked for positions within the mask only; all others get gradients of zero. Throws
/// std::invalid_argument, naming the position, for a loss that is not finite.
template <typename Terms>
TokenSum sum_tokens(const RlBatch& batch, const RlGradient& gradient, Aggregation aggregation, const Terms& terms) {
  const UpdateSize update{batch.update_rows, batch.update_tokens, batch.maximum_tokens};
  const auto update_tokens = static_cast<double>(std::max<std::int64_t>(update.tokens, 1));
  TokenSum sum;
  for (std::int64_t r = 0; r < batch.log_probs.rows(); ++r) {
    const double tokens = row_tokens(batch, r);
    const double weight = tokens > 0 ? token_weight(aggregation, tokens, update) : 0;
    for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
      const double mask = static_cast<double>(batch.mask(r, t));
      const TokenTerms token = mask > 0 ? terms(r, t) : TokenTerms{};
      if (!std::isfinite(token.total()) || !std::isfinite(token.policy.derivative)) refuse_not_finite(batch, r, t);
      sum.loss += weight * mask * token.total();
      sum.clipped += token.policy.clipped ? mask : 0;
      sum.kl += mask * token.policy.kl;
      sum.value_loss += mask * token.value_loss;
      sum.entropy += mask * token.entropy;
      sum.ratio += mask * token.ratio;
      sum.weight += mask * token.weight;
      if (gradient.log_probs) gradient.log_probs(r, t) = static_cast<float>(weight * mask * token.policy.derivative);
      if (gradient.values) gradient.values(r, t) = static_cast<float>(weight * mask * token.by_value);
      if (gradient.entropies) gradient.entropies(r, t) = static_cast<float>(weight * mask * token.by_entropy);
    }
  }
  for (double* share : {&sum.clipped, &sum.kl, &sum.value_loss, &sum.entropy, &sum.ratio, &sum.weight})
    *share /= update_tokens;
  return sum;
}

}  // namespace retort::rl
