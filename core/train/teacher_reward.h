// On-policy distillation as reinforcement learning: every token of a response earns what a teacher thinks of it more
// than the policy does. No LibTorch in this header.
//
//   A_t = −w·(log π(t) − log p(t))      constant, not discounted; both at the sampling temperature
//   (Agarwal et al., arXiv 2306.13649, as a policy gradient; Thinking Machines, "On-policy distillation", 2025)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/algorithm/rl_call.h"

namespace retort::train {

/// What a job's teacher_weight means for this algorithm. Throws std::invalid_argument where nothing would be done with
/// a teacher, and for a weight without one.
double teacher_weight(const host::RlCall& algorithm, bool has_teacher, double weight);

/// [R,T] A_t, from [R,T] log-probabilities; 0 where both are.
std::vector<float> teacher_rewards(const std::vector<float>& policy, const std::vector<float>& teacher, double weight);

/// Adds `rewards` to `sums` [R,T], or becomes it where that is empty.
void add_rewards(std::vector<float>& sums, const std::vector<float>& rewards);

/// Mean of |a − b|, or of a − b, over the tokens of `mask` [R,T]; 0 where there is none.
double mean_distance(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& mask);
double mean_difference(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& mask);

}  // namespace retort::train
