// Odds ratio preference optimisation (Hong et al., arXiv 2403.07691, eq. 5 to 7): learns the chosen answer as
// fine-tuning does and sets its odds above the rejected one's, in one loss and without a reference.
//   l = log π(y)/|y|       log odds = l − log(1 − e^l)
//   −l_c − λ·log σ(log odds_c − log odds_r)
// The mean log-probability of an answer that the policy is certain of would have infinite odds; above −1e-6 it counts
// as −1e-6 there.
#pragma once

#include "pair_loss.h"

namespace retort::preference {

/// Rewards of the result are λ·l, nll is −l_c. Throws std::invalid_argument for a sequence without tokens.
PairLoss orpo_loss(double lambda, const Sequence& chosen, const Sequence& rejected);

}  // namespace retort::preference
