// Approximate likelihood matching for teachers with another tokenizer (Minixhofer et al., arXiv 2503.20083, equation 6;
// the binary form): the loss of one piece of text that both tokenizers end at the same place, and its derivative by the
// student's log-probability of that piece. Batches are the plugin's.
//
//   a = p_T(piece)^(1/τ)   b = p_S(piece)^(1/τ)      p(piece): the product of its tokens' probabilities
//   loss = −a·log b − (1 − a)·log(1 − b)             less the teacher's entropy: −a·log a − (1 − a)·log(1 − a)
#pragma once

namespace retort::distill {

struct AlmOptions {
  double temperature = 100;      ///< τ > 0
  bool subtract_entropy = true;  ///< 0 where student and teacher agree; the gradient is the same
  /// Log-probabilities over τ count as −floor at most, so that log(1 − b) is finite for a sure student, whose gradient
  /// is then 0.
  double floor = 1e-6;
};

struct AlmLoss {
  double loss = 0;
  double by_student = 0;  ///< d loss / d log p_S(piece)
};

AlmLoss alm(const AlmOptions& options, double teacher_log_prob, double student_log_prob);

}  // namespace retort::distill
