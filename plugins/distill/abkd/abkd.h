// The α-β-divergence (Cichocki et al., Entropy 13(1), 2011, eq. 1; ABKD, Wang et al., arXiv 2505.04560;
// ghwang-s/abkd distillm/losses.py, ab_div): forward KL at (1, 0), reverse KL at (0, 1), four times the squared
// Hellinger distance at (½, ½).
//
//   −1/(αβ)·Σ (p^α·q^β − α/(α+β)·p^(α+β) − β/(α+β)·q^(α+β))
//   β → 0:  1/α²·Σ (p^α·log(p^α/q^α) − p^α + q^α)       α → 0:  1/β²·Σ (q^β·log(q^β/p^β) − q^β + p^β)
// (The reference divides the limits by α and β instead of their squares; at 1 that is the same.)
#pragma once

#include "divergences.h"

namespace retort::distill {

/// `alpha`, `beta` at least 0, not both 0.
double alpha_beta_divergence(double alpha, double beta, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

}  // namespace retort::distill
