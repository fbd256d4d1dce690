// Universal logit distillation (Boizard et al., arXiv 2402.12030, section 3: the Wasserstein distance of two
// distributions whose tokens cost the same): for teachers with another tokenizer, without any map between the
// vocabularies.
//
//   Σ_i |p_(i) − q_(i)|     of the probabilities in descending order, the shorter list padded with zeros
// It knows how sure the teacher is and not of what: the cross-entropy with the labels goes beside it.
#pragma once

#include <span>
#include <vector>

namespace retort::distill {

/// `student` z [V], `teacher` logits [V_teacher], both at `temperature`. `by_logits` [V], unless it is empty, is added
/// to: weight·d distance/d z. Throws std::invalid_argument for logits that are not finite.
double sorted_distance(double temperature, double weight, std::span<const float> student,
                       std::span<const float> teacher, std::span<float> by_logits);

/// The same of probabilities: the distance, and its derivatives by q where not empty. At p_(i) = q_(i) they are 0.
double sorted_distance(std::span<const double> p, std::span<const double> q, std::span<double> by_q);

}  // namespace retort::distill
