// Group sequence policy optimisation (Zheng et al., arXiv 2507.18071): the ratio is the sequence's, its geometric mean
// over tokens, s = exp(mean_t log ρ_t).
//   sequence  −min(s·A, clip(s)·A) of the sequence's advantage              (eq. 5 to 7)
//   token     s_t = sg[s]·π_t / sg[π_t]: the value s, the gradient token by token with each token's own A  (eq. 13, 14)
// For equal advantages of a row's tokens both are the same.
#pragma once

#include "policy_loss.h"

namespace retort::rl {

/// Of one token; its derivative by log π_t is the token's share before the mean over the row: −s·A. `advantage` is the
/// row's or the token's own.
TokenLoss gspo_token_loss(const Clip& clip, double advantage, double row_log_ratio);

}  // namespace retort::rl
