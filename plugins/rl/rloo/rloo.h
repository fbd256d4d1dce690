// REINFORCE leave-one-out (Ahmadian et al., arXiv 2402.14740, section 3.2; Kool et al., 2019): each sample's baseline
// is the mean reward of the prompt's other samples.
//
//   A_i = R_i − 1/(G−1)·Σ_{j≠i} R_j        R_i = r_i − β·Σ_t (log π_old − log π_ref)   (k1, in the reward; β 0: R_i =
//   r_i)
//
// The loss is the clipped surrogate of policy_loss.h with one of two ratios: a token's own, or the whole response's,
// ρ = exp(Σ_t (log π − log π_old)), which takes the response as one action. At ρ = 1 both have REINFORCE's gradient.
#pragma once

#include <span>

#include "policy_loss.h"

namespace retort::rl {

enum class Ratio { token, sequence };

/// Writes the advantage of each of the G ≥ 2 samples of one prompt; returns whether the rewards differ, without which
/// all advantages are exactly 0. Throws std::invalid_argument for a reward that is not finite.
bool leave_one_out(std::span<const double> rewards, std::span<double> advantages);

}  // namespace retort::rl
