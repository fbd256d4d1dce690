// Clipped importance sampling (MiniMax-M1, arXiv 2506.13585, eq. 4 and 5): the ratio is clipped as a weight, a
// constant, so that no token loses its gradient.
//   −sg(clip(ρ, floor, cap))·A·log π
#pragma once

#include "policy_loss.h"

namespace retort::rl {

/// `floor` and `cap` are absolute bounds of ρ = π/π_old; floor 0: none below. `clipped` says that a bound counted.
TokenLoss cispo_token_loss(double floor, double cap, double advantage, double log_prob, double old_log_prob);

}  // namespace retort::rl
