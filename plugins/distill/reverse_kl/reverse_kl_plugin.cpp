// distill.reverse_kl: batches and parameters around the rows of reverse_kl.h.
#include <algorithm>
#include <cstdint>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "reverse_kl.h"
#include "teacher_rows.h"

namespace {

using retort::distill::ReverseKlLoss;
using retort::distill::ReverseKlRow;
using retort::distill::ReverseTail;
using retort::distill::span_of;

class ReverseKl : public retort::DistillStrategy {
 public:
  struct Params {
    double temperature = 1;
    bool scale_by_temperature_squared = true;
    std::int64_t top_k = 0;
    std::string tail = "bucket";
    double tail_floor = 1e-6;
    double on_policy_fraction = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("softmax temperature T of teacher and student")
        .boolean("scale_by_temperature_squared", &Params::scale_by_temperature_squared)
        .doc("multiply the divergence by T², so that its gradient does not shrink as T grows")
        .integer("top_k", &Params::top_k)
        .at_least(0)
        .doc("entries of the teacher's distribution to ask for; 0: its full logits")
        .string("tail", &Params::tail)
        .one_of({"bucket", "uniform", "both_renormalise", "drop"})
        .doc(
            "with top_k, the mass outside it: one more outcome; spread evenly over the other tokens; teacher and "
            "student renormalised; dropped (no divergence: training on it collapses). bucket and drop need "
            "temperature 1")
        .number("tail_floor", &Params::tail_floor)
        .above(0)
        .below(1)
        .doc("with bucket and uniform: the least mass of the tail, without which a sure teacher's would be infinite")
        .number("on_policy_fraction", &Params::on_policy_fraction)
        .at_least(0)
        .at_most(1)
        .doc("share of batches that the student samples itself");
  }

  explicit ReverseKl(const Params& params) : top_k_(params.top_k), on_policy_fraction_(params.on_policy_fraction) {
    options_.temperature = params.temperature;
    options_.scale_by_temperature_squared = params.scale_by_temperature_squared;
    options_.tail_floor = params.tail_floor;
    options_.tail = params.tail == "bucket"             ? ReverseTail::bucket
                    : params.tail == "uniform"          ? ReverseTail::uniform
                    : params.tail == "both_renormalise" ? ReverseTail::both_renormalise
                                                        : ReverseTail::drop;
    check(options_, top_k_);
  }

  retort::DistillRequirements requirements(const retort::DistillSetup*) const override {
    retort::DistillRequirements wanted;
    wanted.signals = top_k_ > 0 ? RETORT_SIGNAL_TEACHER_TOP_K : RETORT_SIGNAL_TEACHER_LOGITS;
    wanted.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
    wanted.top_k = top_k_;
    wanted.on_policy_fraction = on_policy_fraction_;
    return wanted;
  }

  /// Of several teachers the weighted sum of the divergences.
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    check_shapes(batch, gradient);
    ReverseKlLoss sum;
    for (std::int64_t n = 0; n < batch.rows(); ++n) {
      const std::span<float> row_gradient = span_of(gradient.logits, n);
      for (std::size_t a = 0; a < batch.teachers.size(); ++a) {
        further_.resize(a > 0 ? row_gradient.size() : 0);
        add(sum, loss_of(batch, batch.teachers[a], n, a == 0 ? row_gradient : std::span<float>(further_)));
        for (std::size_t v = 0; v < further_.size(); ++v) row_gradient[v] += further_[v];
      }
    }
    return {sum.loss, {{"reverse_kl", sum.kl}, {"student_entropy", sum.student_entropy}}};
  }

 private:
  ReverseKlLoss loss_of(const retort::DistillBatch& batch, const retort::TeacherSignals& teacher, std::int64_t n,
                        std::span<float> gradient) {
    ReverseKlRow row;
    row.student = span_of(batch.student_logits, n);
    if (top_k_ > 0) {
      row.top_ids = span_of(teacher.top_ids, n);
      row.top_log_probs = span_of(teacher.top_log_probs, n);
      row.tail_mass = static_cast<double>(teacher.tail_mass[n]);
    } else {
      row.teacher = span_of(teacher.logits, n);
    }
    row.weight = teacher.weight * (batch.mask ? static_cast<double>(batch.mask[n]) : 1.0);
    try {
      return reverse_kl(options_, row, gradient, scratch_);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("row " + std::to_string(n) + ": " + error.what());
    }
  }

  static void add(ReverseKlLoss& sum, const ReverseKlLoss& term) {
    sum.loss += term.loss;
    sum.kl += term.kl;
    sum.student_entropy += term.student_entropy;
  }

  void check_shapes(const retort::DistillBatch& batch, const retort::Gradient& gradient) {
    retort::distill::check_token_shapes(batch, gradient, top_k_);
    for (const retort::TeacherSignals& teacher : batch.teachers)
      if (top_k_ > 0)
        expect_shape(teacher.tail_mass, "teacher tail_mass", batch.rows());
      else
        notice_.tell("distill.reverse_kl", batch.vocabulary(), teacher.logits.columns(),
                     ", both renormalised over them");
  }

  retort::distill::ReverseKlOptions options_;
  std::int64_t top_k_ = 0;
  double on_policy_fraction_ = 0;
  retort::distill::VocabularyNotice notice_;
  retort::distill::ReverseKlScratch scratch_;
  std::vector<float> further_;  ///< the gradient of every teacher but the first
};

}  // namespace

RETORT_PLUGIN_LIST("reverse_kl", "1.0.0", "Apache-2.0",
                   retort::component<ReverseKl>("distill.reverse_kl", "1.0.0",
                                                "reverse KL to the teacher: full logits, or top k with a tail"));
