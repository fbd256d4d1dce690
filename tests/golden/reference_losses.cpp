// See reference_losses.h. Shares no code with the implementations.
#include "reference_losses.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace retort::golden {

namespace {

double divergence(const std::map<std::size_t, double>& p, const std::vector<double>& q, bool with_entropy) {
  double sum = 0;
  for (const auto& [id, share] : p)
    if (share > 0) sum += share * ((with_entropy ? 0 : std::log(share)) - std::log(q[id]));
  return sum;
}

double top_k_loss(const distill::ForwardKlOptions& options, const std::vector<double>& student,
                  const distill::Row& row) {
  std::map<std::size_t, double> p;
  double outside = 0, kept = 0;
  const bool tempered = options.tail == distill::Tail::renormalise || options.tail == distill::Tail::both_renormalise;
  for (std::size_t i = 0; i < row.top_ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(row.top_ids[i]);
    const double log_p = static_cast<double>(row.top_log_probs[i]);
    if (id >= student.size())
      outside += std::exp(log_p);
    else
      kept += p[id] = std::exp(tempered ? log_p / options.temperature : log_p);
  }
  for (auto& [id, share] : p) share /= tempered ? kept : 1 - outside;
  std::vector<double> q = softmax(student, options.temperature);
  const bool cross = options.form == distill::Form::cross_entropy;
  if (options.tail == distill::Tail::both_renormalise) {
    double mass = 0;
    for (const auto& [id, share] : p) mass += q[id];
    for (double& share : q) share /= mass;
  }
  double loss = divergence(p, q, cross);
  if (options.tail == distill::Tail::bucket) {
    double teacher_tail = 1, student_tail = 0;
    for (const auto& [id, share] : p) teacher_tail -= share;
    for (std::size_t v = 0; v < q.size(); ++v)
      if (!p.contains(v)) student_tail += q[v];
    if (teacher_tail > 0 && p.size() < q.size())
      loss += teacher_tail * ((cross ? 0 : std::log(teacher_tail)) - std::log(student_tail));
  }
  return loss;
}

}  // namespace

std::vector<double> softmax(const std::vector<double>& z, double temperature) {
  const double largest = *std::max_element(z.begin(), z.end());
  std::vector<double> p;
  double sum = 0;
  for (const double value : z) sum += p.emplace_back(std::exp((value - largest) / temperature));
  for (double& share : p) share /= sum;
  return p;
}

double reference_forward_kl(const distill::ForwardKlOptions& options, const std::vector<double>& student,
                            const distill::Row& row) {
  double loss = 0;
  if (row.teacher.empty()) {
    loss = top_k_loss(options, student, row);
  } else {
    const std::size_t width = std::min(student.size(), row.teacher.size());
    const auto q = softmax(student, options.temperature);
    const auto shares =
        softmax({row.teacher.begin(), row.teacher.begin() + static_cast<std::ptrdiff_t>(width)}, options.temperature);
    std::map<std::size_t, double> p;
    for (std::size_t v = 0; v < width; ++v) p[v] = shares[v];
    loss = divergence(p, q, options.form == distill::Form::cross_entropy);
  }
  if (options.scale_by_temperature_squared) loss *= options.temperature * options.temperature;
  if (options.ce_weight > 0)
    loss -= options.ce_weight * std::log(softmax(student)[static_cast<std::size_t>(row.label)]);
  return row.weight * loss;
}

}  // namespace retort::golden
