// Feed-forward channels that go with the least change of what down writes, the others taking up what they did by least
// squares (OSSCAR, arXiv 2403.12983, section 3, without its swaps). D hidden, F feed-forward.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hessian_factor.h"

namespace retort::prune {

struct ReconstructionOptions {
  double damping = .01;       ///< λ: λ·mean(diag H) is added to the diagonal
  double damping_step = .01;  ///< added to λ where H has no factor
  std::int64_t at_once = 8;   ///< channels that go before costs are counted anew; 1 is the greedy choice to the letter
};

/// How many channels stay of F: a target, or without one the rest of a share, rounded up to a multiple of `round_to`.
/// At least one stays. Throws std::invalid_argument for a target above F.
std::int64_t channels_that_stay(std::int64_t feed_forward, double remove, std::int64_t target, std::int64_t round_to);

struct ReconstructedDown {
  std::vector<std::int64_t> kept;  ///< ascending
  std::vector<float> weights;      ///< [D,F]; columns that went are 0
  double error = 0;         ///< Σ (w − ŵ)·(H + λ)·(w − ŵ) over rows, as a share of Σ w·(H + λ)·w; 0 where that is 0
  double damping = 0;       ///< λ that was used
  std::int64_t raises = 0;  ///< how often it had to be raised
};

/// `down` [D·F], rows of F; `hessian` [F,F] 2·Σ a aᵀ / S. Of equal costs the lower channel goes. `poll` is called about
/// once a second and may throw. Throws std::invalid_argument for a weight that is not finite, and as HessianFactor.
ReconstructedDown reconstructed(
    std::span<const float> down, const compression::HessianView& hessian, std::int64_t stay,
    const ReconstructionOptions& options, const std::function<void()>& poll = [] {});

}  // namespace retort::prune
