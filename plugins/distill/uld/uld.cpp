#include "uld.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <stdexcept>

namespace retort::distill {

namespace {

std::vector<double> softmax(std::span<const float> logits, double temperature, const char* whose) {
  double largest = -HUGE_VAL, total = 0;
  for (const float z : logits) largest = std::max(largest, static_cast<double>(z));
  std::vector<double> p;
  for (const float z : logits) total += p.emplace_back(std::exp((static_cast<double>(z) - largest) / temperature));
  if (!std::isfinite(total) || !(total > 0))
    throw std::invalid_argument(std::string("the loss is not finite: the ") + whose +
                                "'s logits hold NaN, infinity or nothing but -infinity; if this is training that "
                                "diverged, lower the learning rate");
  for (double& share : p) share /= total;
  return p;
}

}  // namespace

double sorted_distance(std::span<const double> p, std::span<const double> q, std::span<double> by_q) {
  std::vector<double> teacher(p.begin(), p.end());
  std::sort(teacher.begin(), teacher.end(), std::greater<>());
  std::vector<std::size_t> order(q.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return q[a] > q[b] || (q[a] == q[b] && a < b); });
  double distance = 0;
  for (std::size_t i = 0; i < std::max(teacher.size(), order.size()); ++i) {
    const double gap = (i < order.size() ? q[order[i]] : 0) - (i < teacher.size() ? teacher[i] : 0);
    distance += std::abs(gap);
    if (i < order.size() && !by_q.empty()) by_q[order[i]] = gap == 0 ? 0 : std::copysign(1.0, gap);
  }
  return distance;
}

double sorted_distance(double temperature, double weight, std::span<const float> student,
                       std::span<const float> teacher, std::span<float> by_logits) {
  const std::vector<double> q = softmax(student, temperature, "student"), p = softmax(teacher, temperature, "teacher");
  std::vector<double> by_q(by_logits.empty() ? 0 : q.size());
  const double distance = sorted_distance(p, q, by_q);
  double mean = 0;
  for (std::size_t j = 0; j < by_q.size(); ++j) mean += by_q[j] * q[j];
  for (std::size_t j = 0; j < by_q.size(); ++j)
    by_logits[j] += static_cast<float>(weight / temperature * q[j] * (by_q[j] - mean));
  return distance;
}

}  // namespace retort::distill
