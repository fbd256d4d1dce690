// All sums in f64; the conventions are in outcomes.h.
#include "outcomes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace retort::distill {

namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr double mass_tolerance = 1e-3;  ///< how far above 1 rounding may take probabilities that were stored in f16
constexpr double log_of_zero = -100;     ///< NeMo-RL's

/// log Σ exp of numbers that may be −infinity.
double log_sum(std::span<const double> values) {
  double largest = minus_infinity, total = 0;
  for (const double value : values) largest = std::max(largest, value);
  if (largest == minus_infinity) return minus_infinity;
  for (const double value : values) total += std::exp(value - largest);
  return largest + std::log(total);
}

/// out = log softmax(logits / temperature). Throws std::invalid_argument, naming whose, where that is not finite.
void log_softmax(std::span<const float> logits, double temperature, const char* whose, std::vector<double>& out) {
  out.resize(logits.size());
  bool bad = logits.empty();
  for (std::size_t j = 0; j < logits.size(); ++j) {
    out[j] = static_cast<double>(logits[j]) / temperature;
    bad = bad || std::isnan(logits[j]) || logits[j] == INFINITY;
  }
  const double total = bad ? minus_infinity : log_sum(out);
  if (total == minus_infinity)
    throw std::invalid_argument(std::string("the loss is not finite: the ") + whose +
                                "'s logits hold NaN, infinity or nothing but -infinity; if this is training that "
                                "diverged, lower the learning rate");
  for (double& value : out) value -= total;
}

}  // namespace

OutsideTop outside_top(const std::string& name) {
  const std::pair<const char*, OutsideTop> names[] = {
      {"bucket", OutsideTop::bucket},           {"uniform", OutsideTop::uniform},
      {"renormalise", OutsideTop::renormalise}, {"both_renormalise", OutsideTop::both_renormalise},
      {"ignore", OutsideTop::ignore},           {"zero", OutsideTop::zero}};
  for (const auto& [text, tail] : names)
    if (name == text) return tail;
  throw std::invalid_argument("tail: unknown convention \"" + name + "\"");
}

void check(const OutcomeOptions& options, std::int64_t top_k) {
  if (!(options.temperature > 0)) throw std::invalid_argument("temperature: expected a number above 0");
  if (!(options.tail_floor > 0 && options.tail_floor < 1))
    throw std::invalid_argument("tail_floor: expected a number between 0 and 1");
  const bool any_temperature = options.tail == OutsideTop::uniform || options.tail == OutsideTop::renormalise ||
                               options.tail == OutsideTop::both_renormalise;
  if (top_k > 0 && options.temperature != 1 && !any_temperature)
    throw std::invalid_argument(
        "tail: the conventions \"bucket\", \"ignore\" and \"zero\" need temperature 1, because the mass outside the "
        "teacher's top " +
        std::to_string(top_k) + " cannot be tempered as one outcome; found temperature " +
        std::to_string(options.temperature) + ": use \"uniform\", full logits (top_k 0), or temperature 1");
}

void Outcomes::set(const OutcomeOptions& options, const OutcomeRow& row) {
  temperature_ = options.temperature;
  ids_.clear();
  kept_.clear();
  const std::size_t width = row.teacher.empty() ? row.student.size() : std::min(row.student.size(), row.teacher.size());
  log_softmax(row.student.first(width), temperature_, "student", all_);
  if (row.teacher.empty())
    set_top(options, row);
  else
    set_full(row);
  by_log_q_.assign(log_q_.size(), 0.0);
  by_student_.clear();
}

void Outcomes::set_full(const OutcomeRow& row) {
  kind_ = Kind::columns;
  log_softmax(row.teacher.first(all_.size()), temperature_, "teacher", log_p_);
  log_q_ = all_;
}

/// The entries that the student has, by id, with what they and the others hold.
void Outcomes::take_entries(const OutcomeRow& row) {
  std::vector<std::pair<std::int64_t, double>> entries;
  mass_ = lost_ = 0;
  tail_mass_ = row.tail_mass;
  for (std::size_t i = 0; i < row.top_ids.size(); ++i) {
    const double log_p = static_cast<double>(row.top_log_probs[i]);
    if (std::isnan(log_p) || log_p > mass_tolerance)
      throw std::invalid_argument("entry " + std::to_string(i) +
                                  " of the teacher's top k: expected a log-probability, found " +
                                  std::to_string(log_p));
    if (row.top_ids[i] < 0) continue;
    const bool known = row.top_ids[i] < static_cast<std::int64_t>(all_.size());
    (known ? mass_ : lost_) += std::exp(log_p);
    if (known) entries.emplace_back(row.top_ids[i], log_p);
  }
  if (!(tail_mass_ >= 0) || mass_ + lost_ + tail_mass_ > 1 + 2 * mass_tolerance)
    throw std::invalid_argument("the teacher's top k: expected probabilities and a tail of 1 altogether, found " +
                                std::to_string(mass_ + lost_) + " and " + std::to_string(tail_mass_));
  std::sort(entries.begin(), entries.end());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && entries[i].first == entries[i - 1].first)
      throw std::invalid_argument("the teacher's top k names token " + std::to_string(entries[i].first) + " twice");
    ids_.push_back(entries[i].first);
    kept_.push_back(entries[i].second);
  }
}

void Outcomes::set_top(const OutcomeOptions& options, const OutcomeRow& row) {
  take_entries(row);
  log_p_.clear();
  log_q_.clear();
  if (!(mass_ > 0)) {
    kind_ = Kind::kept;
    ids_.clear();
    return;
  }
  switch (options.tail) {
    case OutsideTop::bucket:
      return add_bucket(tail_share(options));
    case OutsideTop::uniform:
      return spread(options, tail_share(options));
    case OutsideTop::zero:
      kind_ = Kind::columns;
      log_p_.assign(all_.size(), log_of_zero);
      for (std::size_t i = 0; i < ids_.size(); ++i) log_p_[static_cast<std::size_t>(ids_[i])] = kept_[i];
      log_q_ = all_;
      return;
    default:
      restrict_to_kept(options);
  }
}

/// Scales the kept entries and returns the tail's share of a distribution over the student's columns.
double Outcomes::tail_share(const OutcomeOptions& options) {
  const double outside = lost_ + tail_mass_;
  const double tail = ids_.size() == all_.size() ? 0 : std::max(outside / (mass_ + outside), options.tail_floor);
  for (double& log_p : kept_) log_p += std::log((1 - tail) / mass_);
  return tail;
}

void Outcomes::spread(const OutcomeOptions& options, double tail) {
  kind_ = Kind::columns;
  const auto others = static_cast<double>(all_.size() - ids_.size());
  log_p_.assign(all_.size(), others > 0 ? std::log(tail / others) / options.temperature : minus_infinity);
  for (std::size_t i = 0; i < ids_.size(); ++i)
    log_p_[static_cast<std::size_t>(ids_[i])] = kept_[i] / options.temperature;
  const double total = log_sum(log_p_);
  for (double& log_p : log_p_) log_p -= total;
  log_q_ = all_;
}

void Outcomes::add_bucket(double tail) {
  kind_ = Kind::bucket;
  sorting_ = all_;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const auto id = static_cast<std::size_t>(ids_[i]);
    log_p_.push_back(kept_[i]);
    log_q_.push_back(all_[id]);
    sorting_[id] = minus_infinity;
  }
  if (ids_.size() == all_.size()) return;
  log_p_.push_back(std::log(tail));
  log_q_.push_back(log_sum(sorting_));
}

void Outcomes::restrict_to_kept(const OutcomeOptions& options) {
  kind_ = options.tail == OutsideTop::both_renormalise ? Kind::kept_softmax : Kind::kept;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    log_p_.push_back(kept_[i] / options.temperature);
    log_q_.push_back(all_[static_cast<std::size_t>(ids_[i])]);
  }
  if (options.tail == OutsideTop::ignore) return;
  const double teacher = log_sum(log_p_), student = kind_ == Kind::kept_softmax ? log_sum(log_q_) : 0;
  for (double& log_p : log_p_) log_p -= teacher;
  for (double& log_q : log_q_) log_q -= student;
}

TopMass Outcomes::top_mass() {
  TopMass mass{mass_, 0, 0};
  if (ids_.empty()) return mass;
  sorting_ = all_;
  const auto kth = sorting_.begin() + static_cast<std::ptrdiff_t>(ids_.size()) - 1;
  std::nth_element(sorting_.begin(), kth, sorting_.end(), std::greater<>());
  const double least = *kth;
  for (const std::int64_t id : ids_) {
    const double log_q = all_[static_cast<std::size_t>(id)];
    mass.student += std::exp(log_q);
    mass.overlap += log_q >= least ? 1.0 / static_cast<double>(ids_.size()) : 0.0;
  }
  return mass;
}

std::span<double> Outcomes::by_student() {
  by_student_.assign(all_.size(), 0.0);
  return by_student_;
}

void Outcomes::write_gradient(double scale, std::span<float> gradient) const {
  // d log q_i / d z_j = ([i = j] − q_j)/T; of a bucket's log q_t: ([j outside K]·q_j/q_t − q_j)/T.
  const double factor = scale / temperature_;
  const double sum = std::accumulate(by_log_q_.begin(), by_log_q_.end(), 0.0),
               whole_sum = std::accumulate(by_student_.begin(), by_student_.end(), 0.0);
  const double softmax_sum = kind_ == Kind::kept_softmax ? whole_sum : sum + whole_sum;
  const bool has_bucket = kind_ == Kind::bucket && log_q_.size() > ids_.size() && log_q_.back() > minus_infinity;
  const double by_tail = has_bucket ? by_log_q_.back() : 0, log_tail = has_bucket ? log_q_.back() : 0;
  std::fill(gradient.begin() + static_cast<std::ptrdiff_t>(all_.size()), gradient.end(), 0.0F);
  const auto slope = [&](std::size_t j) {
    return (by_student_.empty() ? 0 : by_student_[j]) - std::exp(all_[j]) * softmax_sum;
  };
  for (std::size_t j = 0; j < all_.size(); ++j) {
    double outside = slope(j);
    if (kind_ == Kind::columns) outside += by_log_q_[j];
    if (has_bucket) outside += by_tail * std::exp(all_[j] - log_tail);
    gradient[j] = static_cast<float>(factor * outside);
  }
  if (kind_ == Kind::columns) return;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const auto id = static_cast<std::size_t>(ids_[i]);
    double own = slope(id) + by_log_q_[i];
    if (kind_ == Kind::kept_softmax) own -= std::exp(log_q_[i]) * sum;
    gradient[id] = static_cast<float>(factor * own);
  }
}

}  // namespace retort::distill
