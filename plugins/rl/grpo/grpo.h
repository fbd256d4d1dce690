// Group-relative policy optimisation: advantages of one prompt's samples, and the clipped loss of one token with its
// derivative. Sampling, rewards and batches are the host's and the plugin's.
//
// Group advantage (DeepSeekMath, arXiv 2402.03300, eq. 3 and section 4.1.2): A = (r − mean) / (std + ε), std unbiased;
// Dr.GRPO (arXiv 2503.20783, section 3.2) leaves the division out.
// Token loss, ρ = exp(log π − log π_old), d = log π_ref − log π:
//   −min(ρ·A, clip(ρ, 1 − clip_low, 1 + clip_high)·A) + β·(e^d − d − 1)
// with DAPO's separate bounds (arXiv 2503.14476, eq. 10) and the k3 estimate of KL(π‖π_ref).
#pragma once

#include <span>

#include "policy_loss.h"

namespace retort::rl {

enum class Scale { std_unbiased, none };

struct GrpoOptions {
  Clip clip;
  double kl_coefficient = 0;  ///< β; 0: the reference is not read
  double epsilon = 1e-4;      ///< added to std
  Scale scale = Scale::std_unbiased;
  Aggregation aggregation = Aggregation::token_mean;
};

/// Writes the advantage of each of the G ≥ 2 samples; returns whether the rewards differ, without which there is
/// nothing to learn (all advantages are then 0). Throws std::invalid_argument for a reward that is not finite.
bool group_advantages(const GrpoOptions& options, std::span<const float> rewards, std::span<double> advantages);

/// `kl` of the result is k3.
TokenLoss token_loss(const GrpoOptions& options, double advantage, double log_prob, double old_log_prob,
                     double reference_log_prob);

}  // namespace retort::rl
