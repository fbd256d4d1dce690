// What policy-gradient losses share: the clipped surrogate of one ratio with its derivative, estimates of the KL
// divergence to a reference, the correction for a sampler that is another program, and how token losses become one
// number. Advantages are each algorithm's own.
#pragma once

#include <cstdint>
#include <string>

namespace retort::rl {

/// The ratio ρ = exp(log π − log π_old) counts within [1 − low, 1 + high] only (PPO, arXiv 1707.06347, eq. 7; DAPO,
/// arXiv 2503.14476, eq. 10, for bounds that differ).
struct Clip {
  double low = 0.2, high = 0.2;
};

struct TokenLoss {
  double loss = 0;
  double derivative = 0;  ///< d loss / d log π
  double kl = 0;          ///< estimate of KL(π‖π_ref), without its coefficient
  bool clipped = false;   ///< the clipped branch is the smaller one: no gradient through ρ
};

/// −min(ρ·A, clip(ρ)·A); with clip = nullptr −ρ·A.
TokenLoss clipped_surrogate(const Clip* clip, double advantage, double log_prob, double old_log_prob);

/// Estimates of KL(π‖π_ref) from one sampled token, d = log π − log π_ref: k1 = d (may be negative), k3 = e^−d + d − 1
/// (never negative). Schulman, "Approximating KL divergence", 2020.
double k1(double log_prob, double reference_log_prob);
double k3(double log_prob, double reference_log_prob);
double k3_derivative(double log_prob, double reference_log_prob);  ///< by log π

/// Truncated importance sampling: min(π_old / π_sampler, cap), a constant that multiplies a token's policy loss where
/// the engine that sampled is another program than the trainer. cap 0: always 1.
double sampler_weight(double cap, double old_log_prob, double sampler_log_prob);

/// How an update's token losses become one number; R rows, the tokens of a row being |o|:
///   token_mean      Σ / all tokens of the update                (DAPO)
///   sequence_mean   (1/R)·Σ_rows (Σ_tokens / |o|)               (GRPO)
///   sequence_sum    (1/R)·Σ_rows Σ_tokens                       (RLOO, REINFORCE)
///   maximum_length  Σ / (R·longest response that was allowed)   (Dr.GRPO)
enum class Aggregation { token_mean, sequence_mean, sequence_sum, maximum_length };

/// By the name above. Throws std::invalid_argument for any other.
Aggregation aggregation_named(const std::string& name);

/// What the losses are divided by; of the whole update, so that parts add up.
struct UpdateSize {
  std::int64_t rows = 0, tokens = 0, maximum_tokens = 0;
};

/// Weight of each token's loss in a row of `row_tokens` tokens. Throws std::invalid_argument when the aggregation's
/// divisor is not positive.
double token_weight(Aggregation aggregation, double row_tokens, const UpdateSize& update);

}  // namespace retort::rl
