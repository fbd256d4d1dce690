// Proximal policy optimisation with a value head: generalised advantage estimation over a response's own tokens, and
// the loss of one token with its derivatives. Batches are the plugin's.
//
// Over the positions inside the mask, in order, V after the last being 0 (Schulman et al., arXiv 1506.02438, eq. 16):
//   δ_t = r_t + γ·V_{t+1} − V_t      A_t = δ_t + γ·λ·A_{t+1}      return_t = A_t + V_t
// Positions outside the mask (a tool's results inside a response) neither add nor discount nor reset.
//
// Token loss (arXiv 1707.06347, eq. 7 and 9, the value clipped as in its implementation by the authors):
//   −min(ρ·A, clip(ρ)·A) + c_v·½·max((V − return)², (clip(V, V_old ± ε_v) − return)²) − c_e·H
#pragma once

#include <span>

#include "policy_loss.h"

namespace retort::rl {

struct GaeOptions {
  double gamma = 1, lambda = 0.95;
};

/// One row: rewards, values and mask of T positions in; advantages and returns out, 0 outside the mask.
void generalised_advantages(const GaeOptions& options, std::span<const double> rewards, std::span<const float> values,
                            std::span<const float> mask, std::span<double> advantages, std::span<double> returns);

/// A ← (A − mean) / sqrt(variance + 1e-8), unbiased variance, over the given advantages; all 0 where they are equal or
/// there is only one.
void whiten(std::span<double> advantages);

struct ValueLoss {
  double loss = 0;        ///< ½·max(…), without its coefficient
  double derivative = 0;  ///< by V
  bool clipped = false;
};

/// `clip` 0: no clipping.
ValueLoss value_loss(double clip, double value, double old_value, double target);

}  // namespace retort::rl
