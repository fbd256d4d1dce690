// Adaptive KL (Wu et al., Rethinking Kullback-Leibler Divergence in Knowledge Distillation for Large Language Models,
// arXiv 2404.02657, section 4; LLM_KD_AKL AKL.py): forward and reverse KL, weighted by where student and teacher
// differ.
//
//   head: the teacher's likeliest outcomes while their sum is at most μ, the likeliest always
//   w = Σ_head |p − q| / Σ |p − q|        loss = w·KL(p‖q) + (1 − w)·KL(q‖p), w held constant
// Some copies sort the other way round (DSKD) or lose the sort (TAID's); here as the authors' code sorts, descending.
#pragma once

#include "divergences.h"

namespace retort::distill {

/// w in [0, 1]; ½ where nothing differs.
double head_weight(double mu, LogProbs log_p, LogProbs log_q);

double akl(double mu, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

}  // namespace retort::distill
