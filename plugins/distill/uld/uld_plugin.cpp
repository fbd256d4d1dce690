// distill.uld: sorted probabilities (uld.h) at the beginning of every piece of text that both tokenizers cut alike, and
// the cross-entropy with the labels.
//
// The paper pairs the t-th token of one tokenizer with the t-th of the other, which have read different text from the
// first unequal token on. Here rows are paired where both have read the same (as TRL's GOLD aligns them), so that one
// tokenizer twice is the loss of one tokenizer. The paper's weights: 1 for the labels, 1.5 for the distance (its λ).
#include <cmath>
#include <cstdint>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "label_rows.h"
#include "teacher_rows.h"
#include "uld.h"

namespace {

namespace distill = retort::distill;

class Uld : public retort::DistillStrategy {
 public:
  struct Params {
    double temperature = 1, distance_weight = 1.5, ce_weight = 1;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("softmax temperature T of teacher and student in the distance; its gradient is not scaled")
        .number("distance_weight", &Params::distance_weight)
        .above(0)
        .doc("λ, weight of the distance of the sorted probabilities at the first row of every piece")
        .number("ce_weight", &Params::ce_weight)
        .at_least(0)
        .doc("weight of the cross-entropy with the labels, without which nothing says which token is meant; 0: off");
  }
  explicit Uld(const Params& params) : params_(params) {}

  retort::DistillRequirements requirements(const retort::DistillSetup*) const override {
    return retort::distill::piece_requirements();
  }

  /// A piece weighs as much as its rows' masks on average.
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    distill::check_label_shapes(batch, gradient);
    distill::check_piece_shapes(batch);
    distill::clear(gradient.logits);
    double distance = 0, pieces = 0;
    for (const retort::TeacherSignals& teacher : batch.teachers)
      for (std::int64_t m = 0; m < teacher.spans.rows(); ++m) {
        const distill::Piece piece = distill::piece_of(batch, teacher, m);
        const double weight = teacher.weight * distill::mean_mask(batch, piece.first, piece.count);
        if (weight == 0) continue;
        try {
          distance += weight * distill::sorted_distance(params_.temperature, weight * params_.distance_weight,
                                                        distill::span_of(batch.student_logits, piece.first),
                                                        distill::span_of(teacher.logits, piece.teacher_first),
                                                        distill::span_of(gradient.logits, piece.first));
        } catch (const std::invalid_argument& error) {
          throw std::invalid_argument("piece " + std::to_string(m) + ": " + error.what());
        }
        pieces += weight;
      }
    retort::Loss result{params_.distance_weight * distance, {{"distance", distance}, {"pieces", pieces}}};
    if (params_.ce_weight > 0) {
      const double ce = learn_labels(batch, gradient);
      result.value += params_.ce_weight * ce;
      result.metrics.emplace_back("ce", ce);
    }
    return result;
  }

 private:
  double learn_labels(const retort::DistillBatch& batch, const retort::Gradient& gradient) const {
    const std::vector<double> log_probs = distill::label_log_probs(batch.student_logits, batch.labels, "labels");
    std::vector<double> by_row;
    double ce = 0;
    for (std::int64_t n = 0; n < batch.rows(); ++n) {
      const double mask = batch.mask ? static_cast<double>(batch.mask[n]) : 1.0;
      if (mask != 0) ce -= mask * log_probs[static_cast<std::size_t>(n)];
      by_row.push_back(-mask * params_.ce_weight);
    }
    if (!std::isfinite(ce)) throw std::invalid_argument("the cross-entropy is not finite: a label has probability 0");
    if (gradient.logits) distill::add_label_gradient(batch, by_row, gradient.logits);
    return ce;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("uld", "1.0.0", "Apache-2.0",
                   retort::component<Uld>("distill.uld", "1.0.0",
                                          "sorted probabilities, for a teacher with another tokenizer (ULD)"));
