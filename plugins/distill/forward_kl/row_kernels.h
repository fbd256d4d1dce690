// Loops over one row of logits, vectorised by the compiler: maximum, softmax numerators, weighted sums. No formula of
// any loss; no threads.
#pragma once

#include <span>

namespace retort::distill {

/// The largest element; NaN is ignored, -infinity for an empty row.
float maximum(std::span<const float> z);

/// out[i] = exp((z[i] − maximum)·inverse_temperature) and their sum. No z may exceed `maximum`. Relative error of an
/// element below 2e-7, 0 below e^-87; NaN stays NaN. `out` may be z itself.
double exponentials(std::span<const float> z, float maximum, float inverse_temperature, float* out);

double sum(std::span<const float> values);

/// Σ e·(a−b) and Σ e·a over the teacher's softmax numerators e, with a = (teacher −
/// teacher_maximum)·inverse_temperature and b likewise of the student: the parts of KL and entropy that are linear in
/// the logits. Where e is 0 a term is 0, even for logits of -infinity.
struct TeacherSums {
  double difference = 0;
  double own = 0;
};
TeacherSums teacher_sums(std::span<const float> numerators, const float* teacher, float teacher_maximum,
                         const float* student, float student_maximum, float inverse_temperature);

/// values[i] = values[i]·scale.
void multiply(std::span<float> values, float scale);

/// target[i] = target[i]·target_scale + source[i]·source_scale.
void combine(std::span<float> target, float target_scale, const float* source, float source_scale);

}  // namespace retort::distill
