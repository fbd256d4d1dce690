// What policy-gradient losses share, on plain numbers: the clipped surrogate of one ratio with its derivative,
// estimates of the KL divergence to a reference, the correction for a sampler that is another program, and how token
// losses become one number. Advantages are each algorithm's own.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace retort::rl {

/// The ratio ρ = exp(log π − log π_old) counts within [1 − below, 1 + above] only (PPO, arXiv 1707.06347, eq. 7; DAPO,
/// arXiv 2503.14476, eq. 10, for distances that differ).
struct Clip {
  double below = 0.2, above = 0.2;
  /// Dual clip (Ye et al., arXiv 1912.09729, eq. 5): for A < 0 the loss is at most −cap·A. With a cap of at least
  /// 1 + above this is also the two-sided clipping min(ρ, cap) of arXiv 2505.07291. 0: off.
  double dual_cap = 0;
};

struct TokenLoss {
  double loss = 0;
  double derivative = 0;  ///< d loss / d log π
  double kl = 0;          ///< estimate of KL(π‖π_ref), without its coefficient
  bool clipped = false;   ///< the clipped branch counts: no gradient through ρ
};

/// −min(ρ·A, clip(ρ)·A); with clip = nullptr −ρ·A. `derivative` is by log ρ.
TokenLoss clipped_ratio(const Clip* clip, double advantage, double ratio);
/// The same of ρ = exp(log π − log π_old).
TokenLoss clipped_surrogate(const Clip* clip, double advantage, double log_prob, double old_log_prob);

/// Estimates of KL(π‖π_ref) from one sampled token, d = log π − log π_ref, ρ = π/π_old:
///   k1           d                  unbiased as a value, may be negative; as a loss its gradient has mean 0
///   k2           d²/2
///   k3           e^−d + d − 1       never negative
///   k3_plus      k3, with the gradient of k2 (verl "k3+")
///   k3_unbiased  ρ·k3               also off the policy that sampled (TRL use_bias_correction_kl)
/// Schulman, "Approximating KL divergence", 2020.
enum class Kl { k1, k2, k3, k3_plus, k3_unbiased };

/// By the name above. Throws std::invalid_argument for any other.
Kl kl_named(const std::string& name);

struct Divergence {
  double value = 0, derivative = 0;  ///< by log π
};
Divergence divergence(Kl kl, double log_prob, double reference_log_prob, double old_log_prob);

/// Importance sampling where the engine that sampled is another program than the trainer: a constant that multiplies a
/// token's policy loss. x is π_old/π_sampler of the token, or of its row: the product over the row's tokens, or their
/// geometric mean.
///   truncate  min(x, cap)                             (TIS)
///   mask      x within [floor, cap], else 0
///   icepop    the token's own ratio where x is within [floor, cap], else 0   (token: IcePop; else NeMo's seq-mask-tis)
enum class Correction { off, truncate, mask, icepop };
enum class RatioLevel { token, sequence_product, sequence_mean };
struct SamplerCorrection {
  Correction kind = Correction::off;
  RatioLevel level = RatioLevel::token;
  double floor = 0, cap = 3;
};
Correction correction_named(const std::string& name);
RatioLevel ratio_level_named(const std::string& name);

/// Of one row: [n] log-probabilities of its own tokens in, [n] weights out; all 1 where off.
void sampler_weights(const SamplerCorrection& correction, std::span<const double> old_log_probs,
                     std::span<const double> sampler_log_probs, std::span<double> weights);

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
