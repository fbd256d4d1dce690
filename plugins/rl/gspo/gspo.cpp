// The formula of gspo.h, in f64.
#include "gspo.h"

#include <cmath>

namespace retort::rl {

TokenLoss gspo_token_loss(const Clip& clip, double advantage, double row_log_ratio) {
  // The row's mean is taken by the aggregation: Σ_t w·ℓ(s) with ∂s/∂log π_u = s/|o| gives w·∂ℓ/∂log s at every token.
  return clipped_ratio(&clip, advantage, std::exp(row_log_ratio));
}

}  // namespace retort::rl
