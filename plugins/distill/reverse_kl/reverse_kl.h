// Reverse KL divergence from the student's next-token distribution to a teacher's, one row (position) at a time: value
// and analytic gradient. Batches and parameters are the plugin's.
//
// p teacher, q student, z student logits, T temperature, s_j = log q_j − log p_j:
//   KL = Σ q·s                          d KL / d z_j = q_j·(s_j − KL) / T
// It punishes what the student says and the teacher does not (Gu et al., MiniLLM, arXiv 2306.08543, eq. 2), and is
// mostly used on what the student samples itself.
//
// With the teacher's top k only, p outside the kept entries K is a convention (`Tail`):
//   bucket            one more outcome holds all that K leaves out: q_t = 1 − Σ_K q, p_t the mass of the tail. KL ≥ 0.
//   uniform           the tail's mass is spread evenly over the other columns, which makes a whole distribution: any T
//                     (the tail is tempered with the rest). KL ≥ 0.
//   both_renormalise  both divided by their sum over K: blind to what the student puts outside K. KL ≥ 0.
//   drop              the sum runs over K, nothing is renormalised. It is no divergence: it falls below 0 as the
//   student
//                     moves its mass out of K, and training on it collapses (STAR, arXiv 2602.03022, reports it). It
//                     is here to compare with others' numbers.
// A teacher that is sure has a tail of 0 within rounding, and the divergence would be infinite: the tail's mass is
// raised to `tail_floor`, the kept entries give way in proportion.
//
// Vocabularies of different width (padding rows): both distributions are taken over the columns that both have.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace retort::distill {

enum class ReverseTail { bucket, uniform, both_renormalise, drop };

struct ReverseKlOptions {
  double temperature = 1;                    ///< T > 0
  bool scale_by_temperature_squared = true;  ///< multiply value and gradient by T²
  ReverseTail tail = ReverseTail::bucket;
  double tail_floor = 1e-6;  ///< in (0, 1): least mass of the tail, with bucket and uniform
};

/// One position. Either `teacher` or the top-k members are given.
struct ReverseKlRow {
  std::span<const float> student;         ///< z [V]
  std::span<const float> teacher;         ///< logits [V_teacher]
  std::span<const std::int64_t> top_ids;  ///< [k], distinct; a negative id is no entry
  std::span<const float> top_log_probs;   ///< [k] under the full distribution at temperature 1
  double tail_mass = 0;                   ///< probability outside the k
  double weight = 1;                      ///< multiplies all results
};

/// Each already multiplied by the row's weight; sums over rows add up.
struct ReverseKlLoss {
  double loss = 0;
  double kl = 0;               ///< without T²
  double student_entropy = 0;  ///< −Σ q·log q over the whole vocabulary: what a collapse shows in first
};

/// Throws std::invalid_argument for options that do not fit together, `top_k` being 0 for full logits.
void check(const ReverseKlOptions& options, std::int64_t top_k);

/// Memory that rows reuse; one per thread.
struct ReverseKlScratch {
  std::vector<float> student, teacher;  ///< [V] softmax numerators
  std::vector<double> log_p;            ///< [V] of the teacher
};

/// Writes every element of `gradient` [V] = d loss / d z, unless it is empty.
/// Throws std::invalid_argument: logits or log-probabilities that are not finite, an id twice, a teacher that excludes
/// (−infinity) what the student does not.
ReverseKlLoss reverse_kl(const ReverseKlOptions& options, const ReverseKlRow& row, std::span<float> gradient,
                         ReverseKlScratch& scratch);

}  // namespace retort::distill
