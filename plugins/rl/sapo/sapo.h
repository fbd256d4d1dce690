// Soft adaptive policy optimisation (arXiv 2511.20347, eq. 4 to 6): a gate in place of the clip.
//   −A·(4/τ)·σ(τ·(ρ − 1))      τ: τ₊ for A > 0, τ₋ otherwise
// Its derivative by log π is −A·ρ·4σ(1 − σ): the plain gradient at ρ = 1, fading on both sides.
#pragma once

#include "policy_loss.h"

namespace retort::rl {

TokenLoss sapo_token_loss(double temperature_positive, double temperature_negative, double advantage, double log_prob,
                          double old_log_prob);

}  // namespace retort::rl
