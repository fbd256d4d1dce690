// Proximal policy optimisation with a value head: the value's part of the loss of one token. Advantages are
// common/returns.h's, batches the plugin's.
//
// Token loss (arXiv 1707.06347, eq. 7 and 9, the value clipped as in its implementation by the authors):
//   −min(ρ·A, clip(ρ)·A) + c_v·½·max((V − return)², (clip(V, V_old ± ε_v) − return)²) − c_e·H
#pragma once

namespace retort::rl {

struct ValueLoss {
  double loss = 0;        ///< ½·max(…), without its coefficient
  double derivative = 0;  ///< by V
  bool clipped = false;
};

/// `clip` 0: no clipping.
ValueLoss value_loss(double clip, double value, double old_value, double target);

}  // namespace retort::rl
