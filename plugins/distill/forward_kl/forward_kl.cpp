// Rows in terms of the kernels; the formulas are in forward_kl.h.
#include "forward_kl.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "row_kernels.h"

namespace retort::distill {

namespace {

/// Of one row, before weights and T².
struct Divergence {
  double kl = 0;
  double entropy = 0;
};

/// d loss / d KL·T: what multiplies (q − p).
double gradient_factor(const ForwardKlOptions& options, const Row& row) {
  const double temperature = options.temperature;
  return row.weight * (options.scale_by_temperature_squared ? temperature : 1 / temperature);
}

/// Where the student's softmax numerators go: the gradient itself where one is wanted.
float* numerators(const Row& row, std::span<float> gradient, Scratch& scratch) {
  if (!gradient.empty()) return gradient.data();
  scratch.student.resize(row.student.size());
  return scratch.student.data();
}

Divergence full(const ForwardKlOptions& options, const Row& row, std::span<float> gradient, Scratch& scratch) {
  const std::size_t width = std::min(row.student.size(), row.teacher.size());
  const auto inverse_temperature = static_cast<float>(1 / options.temperature);
  const float student_maximum = maximum(row.student), teacher_maximum = maximum(row.teacher.first(width));
  scratch.teacher.resize(width);
  const double student_sum =
      exponentials(row.student, student_maximum, inverse_temperature, numerators(row, gradient, scratch));
  const double teacher_sum =
      exponentials(row.teacher.first(width), teacher_maximum, inverse_temperature, scratch.teacher.data());
  const TeacherSums sums = teacher_sums(scratch.teacher, row.teacher.data(), teacher_maximum, row.student.data(),
                                        student_maximum, inverse_temperature);
  if (!gradient.empty()) {
    const double factor = gradient_factor(options, row);
    const auto student_scale = static_cast<float>(factor / student_sum);
    combine(gradient.first(width), student_scale, scratch.teacher.data(), static_cast<float>(-factor / teacher_sum));
    multiply(gradient.subspan(width), student_scale);
  }
  // log p = a − log teacher_sum, log q = b − log student_sum
  const double kl = sums.difference / teacher_sum - std::log(teacher_sum) + std::log(student_sum);
  return {kl < 0 ? 0 : kl, std::log(teacher_sum) - sums.own / teacher_sum};  // rounding may push 0 below 0
}

/// The usable entries of the teacher's top k with their probabilities as the convention wants them; returns the mass
/// that the bucket holds (0 for the other conventions).
double keep_entries(const ForwardKlOptions& options, const Row& row, Scratch& scratch) {
  auto& kept = scratch.kept;
  kept.clear();
  constexpr double mass_tolerance = 1e-3;  // how far above 1 rounding may take probabilities that were stored in f16
  double outside = 0, said = 0;            // mass on ids that the student lacks; on all
  for (std::size_t i = 0; i < row.top_ids.size(); ++i) {
    const double log_p = static_cast<double>(row.top_log_probs[i]);
    if (std::isnan(log_p) || log_p > mass_tolerance)
      throw std::invalid_argument("entry " + std::to_string(i) + " of the teacher's top k: expected a log-probability" +
                                  ", found " + std::to_string(log_p));
    if (row.top_ids[i] < 0) continue;
    said += std::exp(log_p);
    const auto id = static_cast<std::size_t>(row.top_ids[i]);
    if (id < row.student.size())
      kept.push_back({id, log_p, std::exp(log_p), 0.0f});
    else
      outside += std::exp(log_p);
  }
  if (said > 1 + 2 * mass_tolerance)
    throw std::invalid_argument("the teacher's top k: expected probabilities of 1 altogether at most, found " +
                                std::to_string(said));
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  const auto twice =
      std::adjacent_find(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.id == b.id; });
  if (twice != kept.end())
    throw std::invalid_argument("the teacher's top k names token " + std::to_string(twice->id) + " twice");

  const bool renormalise = options.tail == Tail::renormalise || options.tail == Tail::both_renormalise;
  double mass = 0;
  for (auto& entry : kept) {
    if (renormalise) entry.p = std::exp(entry.log_p / options.temperature);
    mass += entry.p;
  }
  const double total = renormalise ? mass : 1 - outside;
  if (!(mass > 0) || !(total > 0)) {
    kept.clear();
    return 0;
  }
  const double log_total = std::log(total);
  for (auto& entry : kept) {
    entry.p /= total;
    entry.log_p = (renormalise ? entry.log_p / options.temperature : entry.log_p) - log_total;
  }
  return options.tail == Tail::bucket ? std::max(0.0, 1 - mass / total) : 0;
}

/// Adds p·(log p − log q) and −p·log p; nothing where p is 0.
void add_term(Divergence& divergence, double p, double log_p, double log_q) {
  if (!(p > 0)) return;
  divergence.kl += p * (log_p - log_q);
  divergence.entropy -= p * log_p;
}

Divergence both_renormalised(const ForwardKlOptions& options, const Row& row, std::span<float> gradient,
                             Scratch& scratch) {
  double largest = -INFINITY, total = 0;
  const auto scaled = [&](std::size_t id) { return static_cast<double>(row.student[id]) / options.temperature; };
  for (const auto& entry : scratch.kept) largest = std::max(largest, scaled(entry.id));
  for (const auto& entry : scratch.kept) total += std::exp(scaled(entry.id) - largest);
  std::fill(gradient.begin(), gradient.end(), 0.0f);
  Divergence divergence;
  for (const auto& entry : scratch.kept) {
    const double log_q = scaled(entry.id) - largest - std::log(total);
    add_term(divergence, entry.p, entry.log_p, log_q);
    if (!gradient.empty())
      gradient[entry.id] = static_cast<float>(gradient_factor(options, row) * (std::exp(log_q) - entry.p));
  }
  return divergence;
}

/// Softmax over the columns outside K, whose numerators vanish beside K's: replaces `numerators` by exact ones of their
/// own scale and returns log Σ_{outside} exp(z).
double tail_alone(const Row& row, const Scratch& scratch, float* tail, double& tail_sum) {
  std::copy(row.student.begin(), row.student.end(), tail);
  for (const auto& entry : scratch.kept) tail[entry.id] = -INFINITY;
  const std::span<const float> outside(tail, row.student.size());
  const float largest = maximum(outside);
  if (largest == -INFINITY) return -INFINITY;
  tail_sum = exponentials(outside, largest, 1.0f, tail);
  return static_cast<double>(largest) + std::log(tail_sum);
}

/// The conventions whose student softmax runs over the whole vocabulary.
Divergence truncated(const ForwardKlOptions& options, const Row& row, double bucket_mass, std::span<float> gradient,
                     Scratch& scratch) {
  const auto inverse_temperature = static_cast<float>(1 / options.temperature);
  const float largest = maximum(row.student);
  float* const q = numerators(row, gradient, scratch);
  const double total = exponentials(row.student, largest, inverse_temperature, q);
  const double log_total = std::log(total);
  Divergence divergence;
  double mass = 0;
  for (auto& entry : scratch.kept) {
    const double shifted = (static_cast<double>(row.student[entry.id]) - static_cast<double>(largest));
    add_term(divergence, entry.p, entry.log_p, shifted / options.temperature - log_total);
    mass += entry.p;
    entry.numerator = q[entry.id];
    q[entry.id] = 0;
  }
  // Outside K: d loss / d z_j = mass·q_j, and with a bucket q_j − p_t·q_j/q_t. T is 1 with a bucket.
  const double factor = gradient_factor(options, row);
  double outside_scale = factor * mass / total;
  if (bucket_mass > 0 && scratch.kept.size() < row.student.size()) {
    double tail_sum = sum({q, row.student.size()});
    double log_q_tail = std::log(tail_sum) - log_total;
    outside_scale = factor * (1 / total - bucket_mass / tail_sum);
    if (tail_sum < 1e-30) {
      log_q_tail = tail_alone(row, scratch, q, tail_sum) - static_cast<double>(largest) - log_total;
      for (const auto& entry : scratch.kept) q[entry.id] = 0;
      outside_scale = tail_sum > 0 ? -factor * bucket_mass / tail_sum : 0;  // q_j itself is below 1e-30
    }
    add_term(divergence, bucket_mass, std::log(bucket_mass), log_q_tail);
    mass = 1;
  }
  if (!gradient.empty()) {
    multiply(gradient, static_cast<float>(outside_scale));
    for (const auto& entry : scratch.kept)
      gradient[entry.id] = static_cast<float>(factor * (mass * static_cast<double>(entry.numerator) / total - entry.p));
  }
  return divergence;
}

/// −log softmax(z)[label] at temperature 1; adds its gradient.
double cross_entropy(const ForwardKlOptions& options, const Row& row, std::span<float> gradient, Scratch& scratch) {
  if (row.label < 0 || row.label >= static_cast<std::int64_t>(row.student.size()))
    throw std::invalid_argument("label: expected a token in [0," + std::to_string(row.student.size()) + "), found " +
                                std::to_string(row.label));
  const auto label = static_cast<std::size_t>(row.label);
  const float largest = maximum(row.student);
  scratch.teacher.resize(row.student.size());
  const double total = exponentials(row.student, largest, 1.0f, scratch.teacher.data());
  if (!gradient.empty()) {
    const double factor = row.weight * options.ce_weight;
    combine(gradient, 1.0f, scratch.teacher.data(), static_cast<float>(factor / total));
    gradient[label] -= static_cast<float>(factor);
  }
  return static_cast<double>(largest) - static_cast<double>(row.student[label]) + std::log(total);
}

[[noreturn]] void refuse_not_finite(const Row& row) {
  const auto is_bad = [](float z) { return std::isnan(z) || z == INFINITY; };
  const bool teacher = std::any_of(row.teacher.begin(), row.teacher.end(), is_bad);
  throw std::invalid_argument(std::string("the loss is not finite: the ") + (teacher ? "teacher" : "student") +
                              "'s logits hold NaN, infinity or nothing but -infinity; if this is training that " +
                              "diverged, lower the learning rate");
}

}  // namespace

void check(const ForwardKlOptions& options, std::int64_t top_k) {
  if (!(options.temperature > 0)) throw std::invalid_argument("temperature: expected a number above 0");
  if (top_k > 0 && options.temperature != 1 && (options.tail == Tail::bucket || options.tail == Tail::drop))
    throw std::invalid_argument(
        "tail: the conventions \"bucket\" and \"drop\" need temperature 1, because the mass outside the teacher's "
        "top " +
        std::to_string(top_k) + " cannot be tempered; found temperature " + std::to_string(options.temperature) +
        ": use \"renormalise\" or \"both_renormalise\", full logits (top_k 0), or temperature 1");
}

RowLoss forward_kl(const ForwardKlOptions& options, const Row& row, std::span<float> gradient, Scratch& scratch) {
  if (row.weight == 0) {
    std::fill(gradient.begin(), gradient.end(), 0.0f);
    return {};
  }
  Divergence divergence;
  if (!row.teacher.empty()) {
    divergence = full(options, row, gradient, scratch);
  } else {
    const double bucket_mass = keep_entries(options, row, scratch);
    if (scratch.kept.empty())
      std::fill(gradient.begin(), gradient.end(), 0.0f);
    else if (options.tail == Tail::both_renormalise)
      divergence = both_renormalised(options, row, gradient, scratch);
    else
      divergence = truncated(options, row, bucket_mass, gradient, scratch);
  }
  const double ce = options.ce_weight > 0 ? cross_entropy(options, row, gradient, scratch) : 0;
  const double value = options.form == Form::kl ? divergence.kl : divergence.kl + divergence.entropy;
  const double scale = options.scale_by_temperature_squared ? options.temperature * options.temperature : 1.0;
  if (!std::isfinite(value) || !std::isfinite(ce)) refuse_not_finite(row);
  return {row.weight * (scale * value + options.ce_weight * ce), row.weight * divergence.kl,
          row.weight * divergence.entropy, row.weight * ce};
}

}  // namespace retort::distill
