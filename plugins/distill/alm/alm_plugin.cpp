// distill.alm: pieces of text, log-probabilities and gradients of logits around alm.h.
#include <cmath>
#include <cstdint>
#include <numeric>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "alm.h"
#include "label_rows.h"

namespace {

using retort::distill::AlmLoss;
using retort::distill::AlmOptions;
using retort::distill::label_log_probs;
using retort::distill::Piece;

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
    return retort::distill::piece_requirements();
  }

  /// A piece weighs as much as its rows' masks on average.
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    retort::distill::check_label_shapes(batch, gradient);
    retort::distill::check_piece_shapes(batch);
    const std::vector<double> student_log_probs = label_log_probs(batch.student_logits, batch.labels, "labels");
    std::vector<double> by_row(student_log_probs.size(), 0.0);
    double loss = 0, pieces = 0;
    for (const retort::TeacherSignals& teacher : batch.teachers) {
      const std::vector<double> teacher_log_probs = label_log_probs(teacher.logits, teacher.labels, "teacher labels");
      for (std::int64_t m = 0; m < teacher.spans.rows(); ++m) {
        const Piece piece = retort::distill::piece_of(batch, teacher, m);
        const double weight = teacher.weight * retort::distill::mean_mask(batch, piece.first, piece.count);
        if (weight == 0) continue;
        const AlmLoss found = alm(options_, sum_of(teacher_log_probs, piece.teacher_first, piece.teacher_count),
                                  sum_of(student_log_probs, piece.first, piece.count));
        if (!std::isfinite(found.loss))
          throw std::invalid_argument("piece " + std::to_string(m) +
                                      ": the loss is not finite; if this is training that diverged, lower the "
                                      "learning rate");
        loss += weight * found.loss;
        pieces += weight;
        for (std::int64_t n = piece.first; n < piece.first + piece.count; ++n)
          by_row[static_cast<std::size_t>(n)] += weight * found.by_student;
      }
    }
    retort::distill::clear(gradient.logits);
    if (gradient.logits) retort::distill::add_label_gradient(batch, by_row, gradient.logits);
    return {loss, {{"pieces", pieces}}};
  }

 private:
  static double sum_of(const std::vector<double>& log_probs, std::int64_t first, std::int64_t count) {
    const auto begin = log_probs.begin() + first;
    return std::accumulate(begin, begin + count, 0.0);
  }

  AlmOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("alm", "1.0.0", "Apache-2.0",
                   retort::component<Alm>("distill.alm", "1.0.0",
                                          "likelihoods of pieces of text, for a teacher with another tokenizer (ALM)"));
