// Temporally adaptive interpolated distillation (Shing et al., TAID, arXiv 2501.16937, section 3;
// SakanaAI/TAID src/distil_losses/taid.py:36-80): the student learns from a distribution between its own and the
// teacher's that moves to the teacher's over the run.
//
//   p_t = softmax((1 − t)·z_S + t·z_T), held constant       loss = KL(p_t ‖ q)       gradient = (q − p_t)/T
#pragma once

#include <cstdint>

#include "divergences.h"

namespace retort::distill {

struct TaidSchedule {
  double start = 0.4, end = 1;  ///< t of the first step and where it goes
};

/// t of a step: start + (end − start)·step/total_steps, the lower bound that the paper's t never falls below. The
/// paper's own t also runs ahead by α·sigmoid(m)·(1 − t) a step, α 5e-4, from a moving average m of the loss's change.
/// That is left out: it is a state of one process, and a run that goes on, or has several threads, would not give the
/// same.
double interpolation(const TaidSchedule& schedule, std::int64_t step, std::int64_t total_steps);

double taid(double t, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q);

}  // namespace retort::distill
