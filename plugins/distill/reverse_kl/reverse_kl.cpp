// Rows in f64 around the softmax kernel of forward_kl; the formulas are in reverse_kl.h.
#include "reverse_kl.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "row_kernels.h"

namespace retort::distill {

namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr double mass_tolerance = 1e-3;  ///< how far above 1 rounding may take probabilities that were stored in f16

/// The student's softmax at T over the columns that are compared.
struct Student {
  std::span<const float> logits, numerators;
  double largest = 0, log_total = 0, total = 1, temperature = 1;
  double q(std::size_t j) const { return static_cast<double>(numerators[j]) / total; }
  double log_q(std::size_t j) const { return (static_cast<double>(logits[j]) - largest) / temperature - log_total; }
  std::size_t size() const { return logits.size(); }
};

Student softmax(std::span<const float> logits, double temperature, std::vector<float>& numerators) {
  numerators.resize(logits.size());
  const float largest = maximum(logits);
  const double total = exponentials(logits, largest, static_cast<float>(1 / temperature), numerators.data());
  return {logits, numerators, static_cast<double>(largest), std::log(total), total, temperature};
}

struct Entry {
  std::size_t id;
  double log_p;
};

/// The entries that the student has, by id; `mass` and `lost`: what they and the others hold.
std::vector<Entry> usable_entries(const ReverseKlRow& row, double& mass, double& lost) {
  std::vector<Entry> entries;
  mass = lost = 0;
  for (std::size_t i = 0; i < row.top_ids.size(); ++i) {
    const double log_p = static_cast<double>(row.top_log_probs[i]);
    if (std::isnan(log_p) || log_p > mass_tolerance)
      throw std::invalid_argument("entry " + std::to_string(i) +
                                  " of the teacher's top k: expected a log-probability, found " +
                                  std::to_string(log_p));
    if (row.top_ids[i] < 0) continue;
    const auto id = static_cast<std::size_t>(row.top_ids[i]);
    (id < row.student.size() ? mass : lost) += std::exp(log_p);
    if (id < row.student.size()) entries.push_back({id, log_p});
  }
  if (!(row.tail_mass >= 0) || mass + lost + row.tail_mass > 1 + 2 * mass_tolerance)
    throw std::invalid_argument("the teacher's top k: expected probabilities and a tail of 1 altogether, found " +
                                std::to_string(mass + lost) + " and " + std::to_string(row.tail_mass));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.id == b.id; });
  if (twice != entries.end())
    throw std::invalid_argument("the teacher's top k names token " + std::to_string(twice->id) + " twice");
  return entries;
}

/// Σ q·(log q − log p) over all columns, its gradient without factors. A q of 0 adds nothing, whatever p is.
double whole_divergence(const Student& student, const std::vector<double>& log_p, std::span<float> gradient,
                        double factor) {
  double kl = 0;
  for (std::size_t j = 0; j < student.size(); ++j)
    if (const double q = student.q(j); q > 0) kl += q * (student.log_q(j) - log_p[j]);
  for (std::size_t j = 0; !gradient.empty() && j < student.size(); ++j) {
    const double q = student.q(j);
    gradient[j] = q > 0 ? static_cast<float>(factor * q * (student.log_q(j) - log_p[j] - kl)) : 0.0F;
  }
  return kl;
}

double full(const ReverseKlRow& row, const Student& student, std::span<float> gradient, double factor,
            ReverseKlScratch& scratch) {
  const std::span<const float> teacher = row.teacher.first(student.size());
  const double largest = static_cast<double>(maximum(teacher));
  scratch.teacher.resize(student.size());
  const double log_total = std::log(exponentials(teacher, static_cast<float>(largest),
                                                 static_cast<float>(1 / student.temperature), scratch.teacher.data()));
  scratch.log_p.resize(student.size());
  for (std::size_t j = 0; j < student.size(); ++j)
    scratch.log_p[j] = (static_cast<double>(teacher[j]) - largest) / student.temperature - log_total;
  return whole_divergence(student, scratch.log_p, gradient, factor);
}

/// Sets the kept entries' and returns the tail's share of a distribution over the student's columns.
double share_with_tail(const ReverseKlOptions& options, const ReverseKlRow& row, double mass,
                       std::vector<Entry>& entries) {
  const bool covers_all = entries.size() == row.student.size();
  const double tail = covers_all ? 0 : std::max(row.tail_mass / (mass + row.tail_mass), options.tail_floor);
  for (Entry& entry : entries) entry.log_p += std::log((1 - tail) / mass);
  return tail;
}

double uniform(const ReverseKlOptions& options, const Student& student, const std::vector<Entry>& entries, double tail,
               std::span<float> gradient, double factor, ReverseKlScratch& scratch) {
  const auto others = static_cast<double>(student.size() - entries.size());
  const double log_each = others > 0 ? std::log(tail / others) / options.temperature : minus_infinity;
  double total = others > 0 ? others * std::exp(log_each) : 0;
  for (const Entry& entry : entries) total += std::exp(entry.log_p / options.temperature);
  scratch.log_p.assign(student.size(), log_each - std::log(total));
  for (const Entry& entry : entries) scratch.log_p[entry.id] = entry.log_p / options.temperature - std::log(total);
  return whole_divergence(student, scratch.log_p, gradient, factor);
}

/// With a tail one outcome holds all columns outside K; without (`tail` 0) they are left out: drop.
double truncated(const Student& student, const std::vector<Entry>& entries, bool bucket, double tail,
                 std::span<float> gradient, double factor) {
  double kept_mass = 0, value = 0, outside = 0;
  auto next = entries.begin();
  for (std::size_t j = 0; j < student.size(); ++j) {
    const double q = student.q(j);
    if (next == entries.end() || next->id != j) {
      outside += q;
      continue;
    }
    if (q > 0) value += q * (student.log_q(j) - next->log_p);
    kept_mass += q;
    ++next;
  }
  const double tail_ratio = bucket && outside > 0 ? std::log(outside) - std::log(tail) : 0;
  value += outside * tail_ratio;
  if (gradient.empty()) return value;
  // d/dz_j = q_j·(g_j − Σ q·g); g = s + 1 where a column counts. With a bucket all do, and the ones cancel.
  const double mean = bucket ? value : value + kept_mass;
  next = entries.begin();
  for (std::size_t j = 0; j < student.size(); ++j) {
    const double q = student.q(j);
    const bool kept = next != entries.end() && next->id == j;
    double slope = tail_ratio;
    if (kept) slope = q > 0 ? student.log_q(j) - next->log_p + (bucket ? 0 : 1) : 0;
    if (kept) ++next;
    gradient[j] = static_cast<float>(factor * q * (slope - mean));
  }
  return value;
}

double both_renormalised(const ReverseKlOptions& options, const ReverseKlRow& row, const std::vector<Entry>& entries,
                         std::span<float> gradient, double factor) {
  const double temperature = options.temperature;
  const auto scaled = [&](const Entry& entry) { return static_cast<double>(row.student[entry.id]) / temperature; };
  double largest = minus_infinity, student_total = 0, teacher_total = 0, kl = 0;
  for (const Entry& entry : entries) largest = std::max(largest, scaled(entry));
  for (const Entry& entry : entries) {
    student_total += std::exp(scaled(entry) - largest);
    teacher_total += std::exp(entry.log_p / temperature);
  }
  const auto log_q = [&](const Entry& entry) { return scaled(entry) - largest - std::log(student_total); };
  const auto log_ratio = [&](const Entry& entry) {
    return log_q(entry) - (entry.log_p / temperature - std::log(teacher_total));
  };
  for (const Entry& entry : entries)
    if (const double q = std::exp(log_q(entry)); q > 0) kl += q * log_ratio(entry);
  std::fill(gradient.begin(), gradient.end(), 0.0F);
  for (const Entry& entry : entries)
    if (const double q = std::exp(log_q(entry)); !gradient.empty() && q > 0)
      gradient[entry.id] = static_cast<float>(factor * q * (log_ratio(entry) - kl));
  return kl;
}

double from_top_k(const ReverseKlOptions& options, const ReverseKlRow& row, const Student& student,
                  std::span<float> gradient, double factor, ReverseKlScratch& scratch) {
  double mass = 0, lost = 0;
  std::vector<Entry> entries = usable_entries(row, mass, lost);
  if (!(mass > 0)) {  // nothing that the student has: nothing to learn
    std::fill(gradient.begin(), gradient.end(), 0.0F);
    return 0;
  }
  switch (options.tail) {
    case ReverseTail::both_renormalise:
      return both_renormalised(options, row, entries, gradient, factor);
    case ReverseTail::drop:
      return truncated(student, entries, false, 0, gradient, factor);
    case ReverseTail::bucket: {
      const double tail = share_with_tail(options, row, mass, entries);
      return truncated(student, entries, true, tail, gradient, factor);
    }
    case ReverseTail::uniform: {
      const double tail = share_with_tail(options, row, mass, entries);
      return uniform(options, student, entries, tail, gradient, factor, scratch);
    }
  }
  return 0;
}

double entropy(const Student& student) {
  double sum = 0;
  for (std::size_t j = 0; j < student.size(); ++j)
    if (const double q = student.q(j); q > 0) sum -= q * student.log_q(j);
  return sum;
}

[[noreturn]] void refuse_not_finite(const ReverseKlRow& row) {
  const auto is_bad = [](float z) { return std::isnan(z) || z == INFINITY; };
  const bool teacher = std::any_of(row.teacher.begin(), row.teacher.end(), is_bad);
  const bool student = std::any_of(row.student.begin(), row.student.end(), is_bad);
  if (!teacher && !student)
    throw std::invalid_argument(
        "the loss is not finite: the teacher excludes a token (-infinity) that the student does not, or one of them "
        "excludes all");
  throw std::invalid_argument(std::string("the loss is not finite: the ") + (teacher ? "teacher" : "student") +
                              "'s logits hold NaN or infinity; if this is training that diverged, lower the learning "
                              "rate");
}

}  // namespace

void check(const ReverseKlOptions& options, std::int64_t top_k) {
  if (!(options.temperature > 0)) throw std::invalid_argument("temperature: expected a number above 0");
  if (!(options.tail_floor > 0 && options.tail_floor < 1))
    throw std::invalid_argument("tail_floor: expected a number between 0 and 1");
  if (top_k > 0 && options.temperature != 1 &&
      (options.tail == ReverseTail::bucket || options.tail == ReverseTail::drop))
    throw std::invalid_argument(
        "tail: the conventions \"bucket\" and \"drop\" need temperature 1, because the mass outside the teacher's "
        "top " +
        std::to_string(top_k) + " cannot be tempered as one outcome; found temperature " +
        std::to_string(options.temperature) +
        ": use \"uniform\" or \"both_renormalise\", full logits (top_k 0), or temperature 1");
}

ReverseKlLoss reverse_kl(const ReverseKlOptions& options, const ReverseKlRow& row, std::span<float> gradient,
                         ReverseKlScratch& scratch) {
  if (row.weight == 0) {
    std::fill(gradient.begin(), gradient.end(), 0.0F);
    return {};
  }
  const bool has_logits = !row.teacher.empty();
  const std::size_t width = has_logits ? std::min(row.student.size(), row.teacher.size()) : row.student.size();
  const Student student = softmax(row.student.first(width), options.temperature, scratch.student);
  const double temperature = options.temperature;
  const double factor = row.weight * (options.scale_by_temperature_squared ? temperature : 1 / temperature);
  if (!gradient.empty()) std::fill(gradient.begin() + static_cast<std::ptrdiff_t>(width), gradient.end(), 0.0F);
  const std::span<float> compared = gradient.empty() ? gradient : gradient.first(width);
  double kl = has_logits ? full(row, student, compared, factor, scratch)
                         : from_top_k(options, row, student, compared, factor, scratch);
  if (!std::isfinite(kl) || !std::isfinite(student.log_total)) refuse_not_finite(row);
  if (kl < 0 && (has_logits || options.tail != ReverseTail::drop)) kl = 0;  // rounding may push 0 below 0
  const double scale = options.scale_by_temperature_squared ? temperature * temperature : 1.0;
  return {row.weight * scale * kl, row.weight * kl, row.weight * entropy(student)};
}

}  // namespace retort::distill
