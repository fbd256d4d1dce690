// Direct preference optimisation and its neighbours: the loss of one pair and its derivatives by both sequences'
// log-probabilities. Batches are pair_preference.h's.
//
//   d = (log π_c − log π_ref,c)/n_c − (log π_r − log π_ref,r)/n_r      n: 1, or the sequences' tokens
//   sigmoid  −(1−s)·log σ(β·d − γ) − s·log σ(−(β·d − γ))               s: label smoothing
//            (DPO: Rafailov et al., arXiv 2305.18290, eq. 7, with γ 0, s 0 and sums; s: Mitchell, "A note on DPO with
//            noisy preferences", 2023; SimPO: arXiv 2405.14734, eq. 6, without a reference, by tokens, with γ)
//   ipo      (d − 1/(2β))²                                             (Azar et al., arXiv 2310.12036, eq. 17)
#pragma once

namespace retort::preference {

/// −log σ(x), without overflow for large |x|.
double softplus_of_negative(double x);
double sigmoid(double x);

enum class Form { sigmoid, ipo };

struct DpoOptions {
  double beta = 0.1;  ///< β > 0
  Form form = Form::sigmoid;
  double label_smoothing = 0;  ///< s in [0, 0.5): the share of pairs that are thought to be the wrong way round
  double margin = 0;           ///< γ
  bool reference = true;       ///< false: the reference's terms are left out
  bool by_length = false;      ///< divide each sequence's sum by its tokens
};

struct Sequence {
  double log_prob = 0, reference_log_prob = 0;
  double tokens = 1;
};

struct PairLoss {
  double loss = 0;
  double nll = 0;                         ///< what of it is the likelihood of the chosen answer, where there is one
  double by_chosen = 0, by_rejected = 0;  ///< d loss / d log_prob
  double chosen_reward = 0, rejected_reward = 0;  ///< β·(log π − log π_ref)/n, the implicit rewards
};

/// Throws std::invalid_argument for options that do not fit together.
void check(const DpoOptions& options);

/// Throws std::invalid_argument where by_length and a sequence has no tokens.
PairLoss pair_loss(const DpoOptions& options, const Sequence& chosen, const Sequence& rejected);

}  // namespace retort::preference
