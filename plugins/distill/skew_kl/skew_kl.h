// Skewed KL divergences (Ko et al., DistiLLM, arXiv 2402.03898, section 3.1: SKL and SRKL): the second distribution is
// mixed with the first, so that neither value nor gradient explodes where one of them has nothing.
//
//   forward   KL(p ‖ α·p + (1−α)·q)      reverse   KL(q ‖ (1−α)·p + α·q)
#pragma once

#include "divergences.h"

namespace retort::distill {

/// `alpha` in [0, 1).
double skew_forward(double alpha, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);
double skew_reverse(double alpha, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

}  // namespace retort::distill
