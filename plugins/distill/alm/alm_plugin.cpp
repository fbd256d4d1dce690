// distill.alm: pieces of text, log-probabilities and gradients of logits around alm.h.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "alm.h"

namespace {

using retort::distill::AlmLoss;
using retort::distill::AlmOptions;

/// log Σ exp of a row.
double log_sum(const float* row, std::int64_t columns) {
  const double largest = static_cast<double>(*std::max_element(row, row + columns));
  double sum = 0;
  for (std::int64_t v = 0; v < columns; ++v) sum += std::exp(static_cast<double>(row[v]) - largest);
  return largest + std::log(sum);
}

class Alm : public retort::DistillStrategy {
 public:
  using Params = AlmOptions;
  static auto schema() {
    return retort::params<Params>()
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("τ: the 1/τ-th power of both probabilities is compared; large: pieces that both find unlikely count too")
        .boolean("subtract_entropy", &Params::subtract_entropy)
        .doc("take the teacher's entropy off, so that the loss is 0 where both agree; the gradient is the same")
        .number("floor", &Params::floor)
        .above(0)
        .below(0.1)
        .doc("a student surer of a piece than exp(-τ·floor) gets no gradient from it");
  }
  explicit Alm(const Params& params) : options_(params) {}

  retort::DistillRequirements requirements(const retort::DistillSetup*) const override {
    retort::DistillRequirements wanted;
    wanted.signals = RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_TEACHER_SPANS | RETORT_SIGNAL_LABELS;
    wanted.flags = RETORT_DISTILL_WHOLE_SEQUENCES | RETORT_DISTILL_SEVERAL_TEACHERS;
    return wanted;
  }

  /// A piece weighs as much as its rows' masks on average.
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    check_shapes(batch, gradient);
    const std::vector<double> student_log_probs = label_log_probs(batch.student_logits, batch.labels, "labels");
    std::vector<double> by_row(student_log_probs.size(), 0.0);
    double loss = 0, pieces = 0;
    for (const retort::TeacherSignals& teacher : batch.teachers) {
      const std::vector<double> teacher_log_probs = label_log_probs(teacher.logits, teacher.labels, "teacher labels");
      for (std::int64_t m = 0; m < teacher.spans.rows(); ++m) {
        const std::int64_t first = teacher.spans(m, 0), count = teacher.spans(m, 1);
        const double student = sum_of(student_log_probs, first, count, m);
        const double weight = teacher.weight * mean_mask(batch, first, count);
        if (weight == 0) continue;
        const AlmLoss found =
            alm(options_, sum_of(teacher_log_probs, teacher.spans(m, 2), teacher.spans(m, 3), m), student);
        if (!std::isfinite(found.loss))
          throw std::invalid_argument("piece " + std::to_string(m) +
                                      ": the loss is not finite; if this is training that diverged, lower the "
                                      "learning rate");
        loss += weight * found.loss;
        pieces += weight;
        for (std::int64_t n = first; n < first + count; ++n)
          by_row[static_cast<std::size_t>(n)] += weight * found.by_student;
      }
    }
    if (gradient.logits) write_gradient(batch, by_row, gradient.logits);
    return {loss, {{"pieces", pieces}}};
  }

 private:
  static std::vector<double> label_log_probs(const retort::TensorView<const float>& logits,
                                             const retort::TensorView<const std::int64_t>& labels, const char* what) {
    std::vector<double> log_probs;
    for (std::int64_t n = 0; n < logits.rows(); ++n) {
      const std::int64_t label = labels[n];
      if (label < 0 || label >= logits.columns())
        throw std::invalid_argument(std::string(what) + ": row " + std::to_string(n) + ": expected a token below " +
                                    std::to_string(logits.columns()) + ", found " + std::to_string(label));
      log_probs.push_back(static_cast<double>(logits(n, label)) - log_sum(logits.row(n), logits.columns()));
    }
    return log_probs;
  }

  static double sum_of(const std::vector<double>& log_probs, std::int64_t first, std::int64_t count, std::int64_t m) {
    const auto rows = static_cast<std::int64_t>(log_probs.size());
    if (first < 0 || count < 1 || first > rows - count)
      throw std::invalid_argument("spans: piece " + std::to_string(m) + ": expected at least one of " +
                                  std::to_string(rows) + " rows, found " + std::to_string(count) + " from " +
                                  std::to_string(first) + " on");
    double sum = 0;
    for (std::int64_t n = first; n < first + count; ++n) sum += log_probs[static_cast<std::size_t>(n)];
    return sum;
  }

  static double mean_mask(const retort::DistillBatch& batch, std::int64_t first, std::int64_t count) {
    if (!batch.mask) return 1;
    double sum = 0;
    for (std::int64_t n = first; n < first + count; ++n) sum += static_cast<double>(batch.mask[n]);
    return sum / static_cast<double>(count);
  }

  /// d log p(label) / d logits = onehot − softmax.
  static void write_gradient(const retort::DistillBatch& batch, const std::vector<double>& by_row,
                             const retort::TensorView<float>& gradient) {
    const std::int64_t columns = batch.vocabulary();
    for (std::int64_t n = 0; n < batch.rows(); ++n) {
      const float* row = batch.student_logits.row(n);
      const double by = by_row[static_cast<std::size_t>(n)], total = by == 0 ? 0 : log_sum(row, columns);
      for (std::int64_t v = 0; v < columns; ++v)
        gradient(n, v) = by == 0 ? 0.0F : static_cast<float>(-by * std::exp(static_cast<double>(row[v]) - total));
      gradient(n, batch.labels[n]) += static_cast<float>(by);
    }
  }

  static void check_shapes(const retort::DistillBatch& batch, const retort::Gradient& gradient) {
    if (!batch.student_logits) throw std::invalid_argument("student_logits: missing");
    const std::int64_t rows = batch.rows();
    expect_shape(batch.labels, "labels", rows);
    if (batch.mask) expect_shape(batch.mask, "mask", rows);
    if (gradient.logits) expect_shape(gradient.logits, "logits_gradient", rows, batch.vocabulary());
    for (const retort::TeacherSignals& teacher : batch.teachers) {
      if (!teacher.logits) throw std::invalid_argument("teacher logits: missing");
      expect_shape(teacher.labels, "teacher labels", teacher.logits.rows());
      expect_shape(teacher.spans, "teacher spans", -1, 4);
    }
  }

  AlmOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("alm", "1.0.0", "Apache-2.0",
                   retort::component<Alm>("distill.alm", "1.0.0",
                                          "likelihoods of pieces of text, for a teacher with another tokenizer (ALM)"));
