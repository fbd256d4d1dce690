// The formulas of hidden.h, in f64 but for the stored gradients.
#include "hidden.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::distill {

namespace {

/// u = W·h, or h.
void project(std::span<const float> student, const Projection& projection, std::vector<double>& projected) {
  if (!projection.weight) {
    projected.assign(student.begin(), student.end());
    return;
  }
  for (std::size_t i = 0; i < projected.size(); ++i) {
    const float* const row = projection.weight.row(i);
    double sum = 0;
    for (std::size_t j = 0; j < student.size(); ++j)
      sum += static_cast<double>(row[j]) * static_cast<double>(student[j]);
    projected[i] = sum;
  }
}

/// Value, and g = weight·d/du.
double mean_squared_error(double weight, std::span<const double> u, std::span<const float> o, std::span<double> g) {
  const auto width = static_cast<double>(u.size());
  double sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double difference = u[i] - static_cast<double>(o[i]);
    sum += difference * difference;
    g[i] = weight * 2 * difference / width;
  }
  return weight * sum / width;
}

double cosine_distance(double weight, std::span<const double> u, std::span<const float> o, std::span<double> g) {
  double product = 0, u_square = 0, o_square = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double teacher = static_cast<double>(o[i]);
    product += u[i] * teacher;
    u_square += u[i] * u[i];
    o_square += teacher * teacher;
  }
  if (u_square == 0 || o_square == 0) {
    std::fill(g.begin(), g.end(), 0.0);
    return weight;
  }
  const double lengths = std::sqrt(u_square) * std::sqrt(o_square), cosine = product / lengths;
  for (std::size_t i = 0; i < u.size(); ++i)
    g[i] = -weight * (static_cast<double>(o[i]) / lengths - cosine * u[i] / u_square);
  return weight * (1 - cosine);
}

void add_gradients(std::span<const float> student, const Projection& projection, std::span<const double> g,
                   std::span<float> student_gradient) {
  if (!projection.weight) {
    for (std::size_t j = 0; j < student_gradient.size(); ++j) student_gradient[j] += static_cast<float>(g[j]);
    return;
  }
  for (std::size_t i = 0; i < g.size(); ++i) {
    const auto factor = static_cast<float>(g[i]);
    const float* const row = projection.weight.row(i);
    for (std::size_t j = 0; j < student_gradient.size(); ++j) student_gradient[j] += factor * row[j];
    if (!projection.gradient) continue;
    float* const by_weight = projection.gradient.row(i);
    for (std::size_t j = 0; j < student.size(); ++j) by_weight[j] += factor * student[j];
  }
}

/// SplitMix64 (Steele et al., 2014), the finaliser of a counter: the same with every standard library.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace

double hidden_distance(Distance distance, double weight, std::span<const float> student, std::span<const float> teacher,
                       const Projection& projection, std::span<float> student_gradient, HiddenScratch& scratch) {
  if (weight == 0) return 0;
  if (!projection.weight && student.size() != teacher.size())
    throw std::invalid_argument("hidden states of " + std::to_string(student.size()) + " and " +
                                std::to_string(teacher.size()) + " elements: expected a projection, found none");
  scratch.projected.resize(teacher.size());
  scratch.by_projected.resize(teacher.size());
  project(student, projection, scratch.projected);
  const double value = distance == Distance::mse
                           ? mean_squared_error(weight, scratch.projected, teacher, scratch.by_projected)
                           : cosine_distance(weight, scratch.projected, teacher, scratch.by_projected);
  if (!std::isfinite(value))
    throw std::invalid_argument(
        "the distance of the hidden states is not finite; if this is training that diverged, lower the learning rate");
  add_gradients(student, projection, scratch.by_projected, student_gradient);
  return value;
}

void initialise_row(std::uint64_t seed, std::uint64_t number, std::uint64_t row, std::span<float> weight) {
  const double bound = 1 / std::sqrt(static_cast<double>(weight.size()));
  const std::uint64_t stream = mix(seed ^ mix(number)) + row * weight.size();
  for (std::size_t j = 0; j < weight.size(); ++j) {
    const double unit = static_cast<double>(mix(stream + j) >> 11) * 0x1p-53;
    weight[j] = static_cast<float>(bound * (2 * unit - 1));
  }
}

}  // namespace retort::distill
