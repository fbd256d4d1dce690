// Total variation distance ½·Σ |p − q| (Wen et al., f-distill, arXiv 2307.15190, section 3, TVD; DistillKit
// lossfuncs/tvd.py): bounded by 1, so that no row outweighs the others; its gradient does not fade near the teacher and
// vanishes for a student that excludes what the teacher says.
#pragma once

#include "divergences.h"

namespace retort::distill {

/// At p = q the derivative is 0.
double total_variation(LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

}  // namespace retort::distill
