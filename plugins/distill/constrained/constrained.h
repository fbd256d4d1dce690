// Constrained distillation of STAR (arXiv 2602.03022, constrained knowledge distillation; Qwen-Applications/STAR
// 0001-add-ckd.patch): forward KL on the teacher's top k, not renormalised, and a penalty on the mass that the
// student's own top m puts elsewhere, tokens matched exactly by id.
//
//   Σ_K p·(log p − log q) + λ·Σ_{M \ K} q          K the teacher's k likeliest, M the student's m likeliest
// k = m = 100, λ = 10. Without the penalty mass may leave K (a dropped tail); a reverse KL on top k collapses.
#pragma once

#include <cstdint>
#include <vector>

#include "divergences.h"

namespace retort::distill {

/// λ·Σ_{M \ K} q, and its derivatives by log q [V] (M held as it is). `ids`: K, ascending. Of equally likely tokens the
/// lower ids are in M.
double outside_penalty(double weight, std::int64_t m, LogProbs log_q, std::span<const std::int64_t> ids,
                       std::span<double> by_log_q);

}  // namespace retort::distill
