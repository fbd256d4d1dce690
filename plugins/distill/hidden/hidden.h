// Distance of a student's hidden state to a teacher's, one row (position) at a time, with a trained projection where
// the widths differ: value and analytic gradients. Batches and parameters are the plugin's.
//
// h student [D_student], o teacher [D_teacher], W [D_teacher, D_student] (no bias; where there is none u = h):
//   u = W·h      mse: 1/D_teacher·Σ (u − o)²      cosine: 1 − u·o / (|u|·|o|)
//   d/dh = Wᵀ·g    d/dW = g·hᵀ    with g = d/du
// (Romero et al., FitNets, arXiv 1412.6550, eq. 3; Jiao et al., TinyBERT, arXiv 1909.10351, eq. 8; Sanh et al.,
// DistilBERT, arXiv 1910.01108, section 3, for the cosine.) A zero vector has cosine 0 to all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace retort::distill {

enum class Distance { mse, cosine };

/// A matrix whose rows are `stride` elements apart; no data: none.
template <typename T>
struct Rows {
  T* data = nullptr;
  std::ptrdiff_t stride = 0;
  explicit operator bool() const { return data != nullptr; }
  T* row(std::size_t index) const { return data + static_cast<std::ptrdiff_t>(index) * stride; }
};

struct Projection {
  Rows<const float> weight;  ///< W [D_teacher, D_student], or none: u = h
  Rows<float> gradient;      ///< likewise, added to; none: not wanted
};

/// Memory that rows reuse; one per thread.
struct HiddenScratch {
  std::vector<double> projected, by_projected;  ///< u and g [D_teacher]
};

/// weight·distance(u, o); adds weight·d distance/d h to `student_gradient` [D_student] and weight·d distance/d W to the
/// projection's gradient, unless they are empty. With weight 0 nothing is read.
/// Throws std::invalid_argument where the distance is not finite, or where widths differ without a projection.
double hidden_distance(Distance distance, double weight, std::span<const float> student, std::span<const float> teacher,
                       const Projection& projection, std::span<float> student_gradient, HiddenScratch& scratch);

/// Row `row` of W: uniform in ±1/√D_student (as linear layers begin elsewhere), from the seed, the projection's number
/// and the place alone.
void initialise_row(std::uint64_t seed, std::uint64_t number, std::uint64_t row, std::span<float> weight);

}  // namespace retort::distill
