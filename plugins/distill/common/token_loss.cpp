#include "token_loss.h"

#include <cmath>
#include <stdexcept>

namespace retort::distill {

TokenLoss::TokenLoss(std::string id, const TokenLossOptions& options) : id_(std::move(id)), options_(options) {
  outcome_options_ = {options.temperature, outside_top(options.tail), options.tail_floor};
  check(outcome_options_, options.top_k);
  if (options.average == "probabilities" && options.top_k > 0)
    throw std::invalid_argument(
        "average: expected \"losses\" with top_k, because teachers keep different tokens; found \"probabilities\": use "
        "full logits (top_k 0)");
}

bool TokenLoss::is_divergence() const {
  return true;
}

DistillRequirements TokenLoss::requirements(const DistillSetup*) const {
  DistillRequirements wanted;
  wanted.signals = options_.top_k > 0 ? RETORT_SIGNAL_TEACHER_TOP_K : RETORT_SIGNAL_TEACHER_LOGITS;
  wanted.flags = flags_;
  wanted.top_k = options_.top_k;
  wanted.on_policy_fraction = options_.on_policy_fraction;
  return wanted;
}

Loss TokenLoss::loss(const DistillBatch& batch, const Gradient& gradient) {
  check_shapes(batch, gradient);
  double total = 0;
  top_mass_ = {};
  for (std::int64_t n = 0; n < batch.rows(); ++n) {
    const std::span<float> row_gradient = span_of(gradient.logits, n);
    if (batch.mask && batch.mask[n] == 0) {
      std::fill(row_gradient.begin(), row_gradient.end(), 0.0F);
      continue;
    }
    try {
      total += learn_row(batch, n, row_gradient);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("row " + std::to_string(n) + ": " + error.what());
    }
  }
  const double squared = options_.scale_by_temperature_squared ? options_.temperature * options_.temperature : 1;
  Loss result{total, {{id_.substr(id_.find('.') + 1), total / squared}}};
  if (options_.top_k > 0)
    result.metrics.insert(result.metrics.end(), {{"teacher_top_mass", top_mass_.teacher},
                                                 {"student_top_mass", top_mass_.student},
                                                 {"top_overlap", top_mass_.overlap}});
  return result;
}

OutcomeRow TokenLoss::row_of(const DistillBatch& batch, const TeacherSignals& teacher, std::int64_t n) const {
  OutcomeRow row;
  row.student = span_of(batch.student_logits, n);
  if (options_.top_k > 0) {
    row.top_ids = span_of(teacher.top_ids, n);
    row.top_log_probs = span_of(teacher.top_log_probs, n);
    row.tail_mass = static_cast<double>(teacher.tail_mass[n]);
  } else {
    row.teacher = span_of(teacher.logits, n);
  }
  return row;
}

double TokenLoss::learn_row(const DistillBatch& batch, std::int64_t n, std::span<float> gradient) {
  const double mask = batch.mask ? static_cast<double>(batch.mask[n]) : 1.0;
  if (options_.average == "probabilities" && batch.teachers.size() > 1) {
    average_teachers(batch, n);
    return value_of(batch, mask, gradient);
  }
  double total = 0;
  for (std::size_t a = 0; a < batch.teachers.size(); ++a) {
    const TeacherSignals& teacher = batch.teachers[a];
    outcomes_.set(outcome_options_, row_of(batch, teacher, n));
    further_.resize(a > 0 ? gradient.size() : 0);
    const double weight = mask * teacher.weight;
    total += value_of(batch, weight, a == 0 ? gradient : std::span<float>(further_));
    for (std::size_t v = 0; v < further_.size(); ++v) gradient[v] += further_[v];
    if (options_.top_k == 0) continue;
    const TopMass mass = outcomes_.top_mass();
    top_mass_.teacher += weight * mass.teacher;
    top_mass_.student += weight * mass.student;
    top_mass_.overlap += weight * mass.overlap;
  }
  return total;
}

/// Sets the outcomes to the student and to Σ weight·p over the teachers, at T. Tempered first, then averaged.
void TokenLoss::average_teachers(const DistillBatch& batch, std::int64_t n) {
  std::int64_t width = batch.vocabulary();
  for (const TeacherSignals& teacher : batch.teachers) width = std::min(width, teacher.logits.columns());
  log_mean_.assign(static_cast<std::size_t>(width), -HUGE_VAL);
  OutcomeRow row = row_of(batch, batch.teacher(), n);
  for (const TeacherSignals& teacher : batch.teachers) {
    row.teacher = span_of(teacher.logits, n).first(static_cast<std::size_t>(width));
    outcomes_.set(outcome_options_, row);
    for (std::size_t v = 0; v < log_mean_.size(); ++v)
      log_mean_[v] = log_add(log_mean_[v], std::log(teacher.weight) + outcomes_.log_p()[v]);
  }
  mean_.resize(log_mean_.size());
  for (std::size_t v = 0; v < mean_.size(); ++v)
    mean_[v] = static_cast<float>(options_.temperature * log_mean_[v]);  // a softmax at T gives them back
  row.teacher = mean_;
  outcomes_.set(outcome_options_, row);
}

double TokenLoss::value_of(const DistillBatch& batch, double weight, std::span<float> gradient) {
  double value = outcomes_.log_p().empty() ? 0 : row_loss({batch.step, batch.total_steps, batch.on_policy}, outcomes_);
  if (!std::isfinite(value))
    throw std::invalid_argument(
        "the loss is not finite: the teacher excludes a token (-infinity) that the student does not, or the other way "
        "round");
  if (value < 0 && is_divergence()) value = 0;  // rounding may push 0 below 0
  const double temperature = options_.temperature;
  const double scale = weight * (options_.scale_by_temperature_squared ? temperature * temperature : 1);
  if (!gradient.empty()) outcomes_.write_gradient(scale, gradient);
  return scale * value;
}

void TokenLoss::check_shapes(const DistillBatch& batch, const Gradient& gradient) {
  check_token_shapes(batch, gradient, options_.top_k);
  for (const TeacherSignals& teacher : batch.teachers)
    if (options_.top_k > 0)
      expect_shape(teacher.tail_mass, "teacher tail_mass", batch.rows());
    else
      notice_.tell(id_, batch.vocabulary(), teacher.logits.columns(), ", both renormalised over them");
}

}  // namespace retort::distill
