// The formulas of alm.h, in f64.
#include "alm.h"

#include <algorithm>
#include <cmath>

namespace retort::distill {
namespace {

/// −x·log y − (1 − x)·log(1 − y) of x = exp(log_x), y = exp(log_y), both below 0.
double binary_cross_entropy(double log_x, double log_y) {
  return -std::exp(log_x) * log_y + std::expm1(log_x) * std::log(-std::expm1(log_y));
}

}  // namespace

AlmLoss alm(const AlmOptions& options, double teacher_log_prob, double student_log_prob) {
  const double log_a = std::min(teacher_log_prob / options.temperature, -options.floor);
  const double log_b = std::min(student_log_prob / options.temperature, -options.floor);
  AlmLoss result;
  result.loss = binary_cross_entropy(log_a, log_b);
  if (options.subtract_entropy) result.loss -= binary_cross_entropy(log_a, log_a);
  if (student_log_prob / options.temperature >= -options.floor) return result;
  const double a = std::exp(log_a), b = std::exp(log_b);
  result.by_student = (-a + std::expm1(log_a) * b / std::expm1(log_b)) / options.temperature;
  return result;
}

}  // namespace retort::distill
