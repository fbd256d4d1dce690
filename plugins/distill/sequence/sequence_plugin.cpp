// distill.sequence: sequence-level distillation (Kim and Rush, arXiv 1606.07947, eq. 5): the cross-entropy with the
// tokens that the teacher wrote itself, −Σ log q(y_t | y_<t, x) of y from the teacher.
//
// Who wrote them is the stage's: `teacher_answers` 1 lets the teacher answer every prompt anew; without it the data
// set's answers count, which are the teacher's where it labelled them. No distribution of the teacher is asked for, so
// that none is computed. It is 0 for a student that is sure of every token, not for the teacher's copy.
#include <cmath>
#include <cstdint>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <vector>

#include "label_rows.h"

namespace {

namespace distill = retort::distill;

class SequenceLevel : public retort::DistillStrategy {
 public:
  using Params = retort::NoParams;
  explicit SequenceLevel(Params) {}

  retort::DistillRequirements requirements(const retort::DistillSetup*) const override {
    retort::DistillRequirements wanted;
    wanted.signals = RETORT_SIGNAL_LABELS;
    return wanted;
  }

  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    distill::check_label_shapes(batch, gradient);
    distill::clear(gradient.logits);
    const std::vector<double> log_probs = distill::label_log_probs(batch.student_logits, batch.labels, "labels");
    std::vector<double> by_row;
    double ce = 0;
    for (std::int64_t n = 0; n < batch.rows(); ++n) {
      const double mask = batch.mask ? static_cast<double>(batch.mask[n]) : 1.0;
      const double log_prob = log_probs[static_cast<std::size_t>(n)];
      if (mask != 0 && !std::isfinite(log_prob))
        throw std::invalid_argument(
            "row " + std::to_string(n) + ": the loss is not finite: the student's logits hold " +
            "NaN or infinity, or exclude the label; if this is training that diverged, lower " + "the learning rate");
      if (mask != 0) ce -= mask * log_prob;
      by_row.push_back(-mask);
    }
    if (gradient.logits) distill::add_label_gradient(batch, by_row, gradient.logits);
    return {ce, {{"ce", ce}}};
  }
};

}  // namespace

RETORT_PLUGIN_LIST("sequence", "1.0.0", "Apache-2.0",
                   retort::component<SequenceLevel>("distill.sequence", "1.0.0",
                                                    "cross-entropy with the answers that the teacher wrote"));
