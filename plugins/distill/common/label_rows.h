// What the losses share that look at the tokens that were written: log-probabilities of labels, and the pieces of text
// that student and teacher write with tokens of their own. N rows, V vocabulary, M pieces.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <retort/distill.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort::distill {

/// log Σ exp of a row.
inline double log_sum(const float* row, std::int64_t columns) {
  const double largest = static_cast<double>(*std::max_element(row, row + columns));
  double sum = 0;
  for (std::int64_t v = 0; v < columns; ++v) sum += std::exp(static_cast<double>(row[v]) - largest);
  return largest + std::log(sum);
}

/// [N] log p(label). Throws std::invalid_argument, naming `what` and the row, for a label outside [0,V).
inline std::vector<double> label_log_probs(const TensorView<const float>& logits,
                                           const TensorView<const std::int64_t>& labels, const char* what) {
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

/// gradient += by_row[n]·d log p(label) / d logits = by_row[n]·(onehot − softmax).
inline void add_label_gradient(const DistillBatch& batch, const std::vector<double>& by_row,
                               const TensorView<float>& gradient) {
  const std::int64_t columns = batch.vocabulary();
  for (std::int64_t n = 0; n < batch.rows(); ++n) {
    const double by = by_row[static_cast<std::size_t>(n)];
    if (by == 0) continue;
    const float* const row = batch.student_logits.row(n);
    const double total = log_sum(row, columns);
    for (std::int64_t v = 0; v < columns; ++v)
      gradient(n, v) -= static_cast<float>(by * std::exp(static_cast<double>(row[v]) - total));
    gradient(n, batch.labels[n]) += static_cast<float>(by);
  }
}

inline void clear(const TensorView<float>& gradient) {
  for (std::int64_t n = 0; gradient && n < gradient.rows(); ++n) std::fill_n(gradient.row(n), gradient.columns(), 0.0F);
}

/// The mean of the mask over rows [first, first + count).
inline double mean_mask(const DistillBatch& batch, std::int64_t first, std::int64_t count) {
  if (!batch.mask) return 1;
  double sum = 0;
  for (std::int64_t n = first; n < first + count; ++n) sum += static_cast<double>(batch.mask[n]);
  return sum / static_cast<double>(count);
}

/// One piece of text: rows of the student and of the teacher.
struct Piece {
  std::int64_t first, count, teacher_first, teacher_count;
};

/// Piece `m` of a teacher. Throws std::invalid_argument where it has no rows or rows that are not there.
inline Piece piece_of(const DistillBatch& batch, const TeacherSignals& teacher, std::int64_t m) {
  const Piece piece{teacher.spans(m, 0), teacher.spans(m, 1), teacher.spans(m, 2), teacher.spans(m, 3)};
  const auto expect_inside = [&](std::int64_t first, std::int64_t count, std::int64_t rows) {
    if (first < 0 || count < 1 || first > rows - count)
      throw std::invalid_argument("spans: piece " + std::to_string(m) + ": expected at least one of " +
                                  std::to_string(rows) + " rows, found " + std::to_string(count) + " from " +
                                  std::to_string(first) + " on");
  };
  expect_inside(piece.first, piece.count, batch.rows());
  expect_inside(piece.teacher_first, piece.teacher_count, teacher.logits.rows());
  return piece;
}

/// Throws std::invalid_argument, naming the tensor, unless labels, mask and gradient fit the student's logits.
inline void check_label_shapes(const DistillBatch& batch, const Gradient& gradient) {
  if (!batch.student_logits) throw std::invalid_argument("student_logits: missing");
  expect_shape(batch.labels, "labels", batch.rows());
  if (batch.mask) expect_shape(batch.mask, "mask", batch.rows());
  if (gradient.logits) expect_shape(gradient.logits, "logits_gradient", batch.rows(), batch.vocabulary());
}

/// Of losses that compare pieces of text, whatever tokens they are made of.
inline DistillRequirements piece_requirements() {
  DistillRequirements wanted;
  wanted.signals = RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_TEACHER_SPANS | RETORT_SIGNAL_LABELS;
  wanted.flags = RETORT_DISTILL_WHOLE_SEQUENCES | RETORT_DISTILL_SEVERAL_TEACHERS;
  return wanted;
}

/// Likewise of every teacher's own rows, with TEACHER_SPANS.
inline void check_piece_shapes(const DistillBatch& batch) {
  for (const TeacherSignals& teacher : batch.teachers) {
    if (!teacher.logits) throw std::invalid_argument("teacher logits: missing");
    expect_shape(teacher.labels, "teacher labels", teacher.logits.rows());
    expect_shape(teacher.spans, "teacher spans", -1, 4);
  }
}

}  // namespace retort::distill
