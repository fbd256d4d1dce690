// Forward KL divergence from a teacher's next-token distribution to the student's, one row (position) at a time: value
// and analytic gradient. Batches, masks' shapes and threads are the plugin's.
//
// p teacher, q student, z student logits, T temperature, K the teacher's kept entries (all of them with full logits):
//   KL = Σ p·(log p − log q)                     d KL / d z_j = (q_j − p_j) / T
// (Hinton et al., arXiv 1503.02531, eq. 1–4; gradients of softmaxes at T shrink by 1/T², hence the factor T².)
//
// With the teacher's top k only, what happens to the rest of the mass is a convention (`Tail`):
//   bucket            one more outcome holds all that K leaves out: p_t = 1 − Σ_K p, q_t = 1 − Σ_K q
//   renormalise       p divided by Σ_K p, q as it is
//   both_renormalise  both divided by their sum over K
//   drop              the sum runs over K, nothing is renormalised
// Only the two that renormalise p have a meaning at T ≠ 1: the others need the tempered mass outside K, which top-k
// log-probabilities do not tell.
//
// Vocabularies of different width (padding rows): columns that the student lacks are dropped and the teacher is
// renormalised over the rest; columns that the teacher lacks have p = 0.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace retort::distill {

enum class Form { kl, cross_entropy };  ///< cross_entropy: −Σ p·log q, the same gradient
enum class Tail { bucket, renormalise, both_renormalise, drop };

struct ForwardKlOptions {
  double temperature = 1;                    ///< T > 0
  bool scale_by_temperature_squared = true;  ///< multiply value and gradient by T²
  double ce_weight = 0;  ///< of −log softmax(z)[label] at temperature 1, added to the loss; 0: labels are not read
  Form form = Form::kl;
  Tail tail = Tail::bucket;
};

/// One position. Either `teacher` or the two top-k spans are given.
struct Row {
  std::span<const float> student;         ///< z [V]
  std::span<const float> teacher;         ///< logits [V_teacher]
  std::span<const std::int64_t> top_ids;  ///< [k], distinct; a negative id is no entry
  std::span<const float> top_log_probs;   ///< [k] under the full distribution at temperature 1
  std::int64_t label = -1;
  double weight = 1;  ///< multiplies all results
};

/// Each already multiplied by the row's weight; sums over rows add up.
struct RowLoss {
  double loss = 0;
  double kl = 0;               ///< without T²
  double teacher_entropy = 0;  ///< −Σ p·log p over the same terms as kl
  double ce = 0;
};

/// Memory that rows reuse; one per thread.
struct Scratch {
  struct Kept {
    std::size_t id;
    double log_p, p;
    float numerator;  ///< of the student's softmax
  };
  std::vector<float> student, teacher;
  std::vector<Kept> kept;
};

/// Throws std::invalid_argument for options that do not fit together, `top_k` being 0 for full logits.
void check(const ForwardKlOptions& options, std::int64_t top_k);

/// Writes every element of `gradient` [V] = d loss / d z, unless it is empty.
/// Throws std::invalid_argument: logits or log-probabilities that are not finite, a label outside [0,V), an id twice.
RowLoss forward_kl(const ForwardKlOptions& options, const Row& row, std::span<float> gradient, Scratch& scratch);

}  // namespace retort::distill
