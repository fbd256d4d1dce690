// Answers that are good or bad by themselves: the loss of one sequence and its derivative by the sequence's
// log-probability (KTO: Ethayarajh et al., arXiv 2402.01306, equation 8). Batches are the plugin's.
//
//   r = log π − log π_ref
//   good  λ_good·(1 − σ(β·(r − z₀)))        bad  λ_bad·(1 − σ(β·(z₀ − r)))
//
// The paper estimates z₀, a divergence, from answers to other prompts of the batch, which retort.preference/1 does not
// show; here it is a constant. With 0 this is "apo_zero_unpaired" of TRL (APO-zero: arXiv 2408.06266, equation 6).
#pragma once

namespace retort::preference {

struct KtoOptions {
  double beta = 0.1;       ///< β > 0
  double good_weight = 1;  ///< λ_good ≥ 0
  double bad_weight = 1;   ///< λ_bad ≥ 0
  double reference_point = 0;
};

struct SequenceLoss {
  double loss = 0;
  double by_log_prob = 0;  ///< d loss / d log π
  double reward = 0;       ///< β·r
};

SequenceLoss kto_loss(const KtoOptions& options, bool good, double log_prob, double reference_log_prob);

}  // namespace retort::preference
