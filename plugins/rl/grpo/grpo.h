// Group-relative policy optimisation: advantages of one prompt's samples, and the clipped loss of one token with its
// derivative. Sampling, rewards and batches are the host's and the plugin's.
//
// Group advantage (DeepSeekMath, arXiv 2402.03300, eq. 3 and section 4.1.2): A = (r − mean) / (std + ε), std unbiased;
// Dr.GRPO (arXiv 2503.20783, section 3.2) leaves the division out.
// Token loss, ρ = exp(log π − log π_old), d = log π_ref − log π:
//   −min(ρ·A, clip(ρ, 1 − clip_low, 1 + clip_high)·A) + β·(e^d − d − 1)
// with DAPO's separate bounds (arXiv 2503.14476, eq. 10) and the k3 estimate of KL(π‖π_ref).
#pragma once

#include <cstdint>
#include <span>

namespace retort::rl {

enum class Scale { std_unbiased, none };

/// How an update's token losses become one number; R rows, the tokens of a row being |o|:
///   token_mean      Σ / all tokens of the update                (DAPO)
///   sequence_mean   (1/R)·Σ_rows (Σ_tokens / |o|)               (GRPO)
///   maximum_length  Σ / (R·longest response that was allowed)   (Dr.GRPO)
enum class Aggregation { token_mean, sequence_mean, maximum_length };

struct GrpoOptions {
  double clip_low = 0.2, clip_high = 0.2;
  double kl_coefficient = 0;  ///< β; 0: the reference is not read
  double epsilon = 1e-4;      ///< added to std
  Scale scale = Scale::std_unbiased;
  Aggregation aggregation = Aggregation::token_mean;
};

/// Writes the advantage of each of the G ≥ 2 samples; returns whether the rewards differ, without which there is
/// nothing to learn (all advantages are then 0). Throws std::invalid_argument for a reward that is not finite.
bool group_advantages(const GrpoOptions& options, std::span<const float> rewards, std::span<double> advantages);

struct TokenLoss {
  double loss = 0;
  double derivative = 0;  ///< d loss / d log π
  double kl = 0;          ///< k3, without β
  bool clipped = false;   ///< the clipped branch is the smaller one: no gradient through ρ
};

TokenLoss token_loss(const GrpoOptions& options, double advantage, double log_prob, double old_log_prob,
                     double reference_log_prob);

/// What the losses are divided by; of the whole update, so that parts add up.
struct UpdateSize {
  std::int64_t rows = 0, tokens = 0, maximum_tokens = 0;
};

/// Weight of each token's loss in a row of `row_tokens` tokens. Throws std::invalid_argument when the aggregation's
/// divisor is not positive.
double token_weight(const GrpoOptions& options, double row_tokens, const UpdateSize& update);

}  // namespace retort::rl
