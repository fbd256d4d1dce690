// Rewards of single tokens become advantages: reward-to-go, generalised advantage estimation, whitening. Positions
// outside the mask (a tool's results inside a response) neither add nor discount nor reset.
#pragma once

#include <retort/rl.hpp>
#include <span>

namespace retort::rl {

/// G_t = r_t + γ·G_{t+1} over the positions of the mask, in order; 0 elsewhere. All spans [T].
void reward_to_go(double gamma, std::span<const double> rewards, std::span<const float> mask,
                  std::span<double> returns);

struct GaeOptions {
  double gamma = 1, lambda = 0.95;
};

/// Over the positions of the mask, in order, V after the last being 0 (Schulman et al., arXiv 1506.02438, eq. 16):
///   δ_t = r_t + γ·V_{t+1} − V_t      A_t = δ_t + γ·λ·A_{t+1}      return_t = A_t + V_t
/// One row: rewards, values and mask of T positions in; advantages and returns out, 0 outside the mask.
void generalised_advantages(const GaeOptions& options, std::span<const double> rewards, std::span<const float> values,
                            std::span<const float> mask, std::span<double> advantages, std::span<double> returns);

/// A ← (A − mean) / sqrt(variance + 1e-8), unbiased variance, over the given advantages; all exactly 0 where they are
/// equal or there is only one.
void whiten(std::span<double> advantages);

/// Writes one advantage for every token of the mask, row by row, and 0 elsewhere.
void write_token_advantages(const RlBatch& batch, std::span<const double> of_tokens, const RlAdvantages& out);

/// "mean_reward" of the step's samples and, where `kl` is in the rewards, that of its `tokens` as "kl".
Metrics reward_metrics(const RlBatch& batch, bool kl, double divergence, std::size_t tokens);

}  // namespace retort::rl
