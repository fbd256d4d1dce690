// The divergences that several losses are made of, between distributions over the same outcomes: values, and
// derivatives by each log q taken by itself. p teacher, q student, M outcomes; −infinity is a probability of 0.
//
// `by_log_q` [M] is written, unless it is empty. An outcome of p = 0 adds nothing to a forward divergence; one of q > 0
// and p = 0 makes the reverse one infinite.
#pragma once

#include <span>

namespace retort::distill {

using LogProbs = std::span<const double>;  ///< [M]

/// Σ p·(log p − log q)                              d/d log q = −p           (Hinton et al., arXiv 1503.02531)
double forward_divergence(LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

/// Σ q·(log q − log p)                              d/d log q = q·(log q − log p + 1)
double reverse_divergence(LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

/// m = (1−β)·q + β·p: β·KL(p‖m) + (1−β)·KL(q‖m); β 0: forward, β 1: reverse   d/d log q = (1−β)·q·(log q − log m)
/// (Agarwal et al., GKD, arXiv 2306.13649, eq. 1; the ends as TRL has them.)
double mixture_divergence(double beta, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

/// log(exp(a) + exp(b)).
double log_add(double a, double b);

}  // namespace retort::distill
