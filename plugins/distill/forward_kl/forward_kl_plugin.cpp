// distill.forward_kl: batches, threads and parameters around the rows of forward_kl.h.
#include <cstdint>
#include <exception>
#include <limits>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "forward_kl.h"
#include "teacher_rows.h"

namespace {

using retort::distill::ForwardKlOptions;
using retort::distill::Row;
using retort::distill::RowLoss;
using retort::distill::span_of;

class ForwardKl : public retort::DistillStrategy {
 public:
  struct Params {
    double temperature = 1;
    bool scale_by_temperature_squared = true;
    double ce_weight = 0;
    std::string form = "kl";
    std::int64_t top_k = 0;
    std::string tail = "bucket";
  };
  static auto schema() {
    return retort::params<Params>()
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("softmax temperature T of teacher and student")
        .boolean("scale_by_temperature_squared", &Params::scale_by_temperature_squared)
        .doc("multiply the divergence by T², so that its gradient does not shrink as T grows")
        .number("ce_weight", &Params::ce_weight)
        .at_least(0)
        .doc("weight of the cross-entropy with the labels (at temperature 1) that is added to the divergence; 0: off")
        .string("form", &Params::form)
        .one_of({"kl", "cross_entropy"})
        .doc("value that is reported: Σp(log p − log q) or −Σp·log q; the gradient is the same")
        .integer("top_k", &Params::top_k)
        .at_least(0)
        .doc("entries of the teacher's distribution to ask for; 0: its full logits")
        .string("tail", &Params::tail)
        .one_of({"bucket", "renormalise", "both_renormalise", "drop"})
        .doc(
            "with top_k, the mass outside it: one more outcome; teacher renormalised; teacher and student "
            "renormalised; dropped. bucket and drop need temperature 1");
  }

  explicit ForwardKl(const Params& params) : top_k_(params.top_k) {
    options_.temperature = params.temperature;
    options_.scale_by_temperature_squared = params.scale_by_temperature_squared;
    options_.ce_weight = params.ce_weight;
    using retort::distill::Form;
    using retort::distill::Tail;
    options_.form = params.form == "kl" ? Form::kl : Form::cross_entropy;
    options_.tail = params.tail == "bucket"             ? Tail::bucket
                    : params.tail == "renormalise"      ? Tail::renormalise
                    : params.tail == "both_renormalise" ? Tail::both_renormalise
                                                        : Tail::drop;
    check(options_, top_k_);
  }

  retort::DistillRequirements requirements(const retort::DistillSetup*) const override {
    retort::DistillRequirements wanted;
    wanted.signals = top_k_ > 0 ? RETORT_SIGNAL_TEACHER_TOP_K : RETORT_SIGNAL_TEACHER_LOGITS;
    if (options_.ce_weight > 0) wanted.signals |= RETORT_SIGNAL_LABELS;
    wanted.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
    wanted.top_k = top_k_;
    return wanted;
  }

  /// Of several teachers the weighted sum of the divergences.
  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    check_shapes(batch, gradient);
    const std::int64_t rows = batch.rows();
    std::vector<RowLoss> results(static_cast<std::size_t>(rows));
    std::exception_ptr failure;
    std::int64_t failed_row = std::numeric_limits<std::int64_t>::max();
#pragma omp parallel
    {
      retort::distill::Scratch scratch;
      std::vector<float> further;  // the gradient of every teacher but the first
#pragma omp for schedule(static)
      for (std::int64_t n = 0; n < rows; ++n) {
        try {
          const std::span<float> row_gradient = span_of(gradient.logits, n);
          RowLoss& result = results[static_cast<std::size_t>(n)];
          result = forward_kl(options_, row(batch, batch.teacher(), n), row_gradient, scratch);
          for (std::size_t a = 1; a < batch.teachers.size(); ++a) {
            further.resize(row_gradient.size());
            add(result, forward_kl(options_, row(batch, batch.teachers[a], n), further, scratch));
            for (std::size_t v = 0; v < further.size(); ++v) row_gradient[v] += further[v];
          }
        } catch (...) {  // nothing may leave the parallel region
#pragma omp critical(retort_forward_kl)
          if (n < failed_row) {
            failed_row = n;
            failure = std::current_exception();
          }
        }
      }
    }
    if (failure) rethrow(failure, failed_row);
    return total(results);
  }

 private:
  Row row(const retort::DistillBatch& batch, const retort::TeacherSignals& teacher, std::int64_t n) const {
    Row result;
    result.student = span_of(batch.student_logits, n);
    if (top_k_ > 0) {
      result.top_ids = span_of(teacher.top_ids, n);
      result.top_log_probs = span_of(teacher.top_log_probs, n);
    } else {
      result.teacher = span_of(teacher.logits, n);
    }
    if (batch.labels) result.label = batch.labels[n];
    result.weight = teacher.weight * (batch.mask ? static_cast<double>(batch.mask[n]) : 1.0);
    return result;
  }

  static void add(RowLoss& sum, const RowLoss& term) {
    sum.loss += term.loss;
    sum.kl += term.kl;
    sum.teacher_entropy += term.teacher_entropy;
    sum.ce += term.ce;
  }

  /// In row order, so that the number of threads does not change the sum.
  retort::Loss total(const std::vector<RowLoss>& results) const {
    RowLoss sum;
    for (const RowLoss& result : results) add(sum, result);
    retort::Loss loss{sum.loss, {{"kl", sum.kl}, {"teacher_entropy", sum.teacher_entropy}}};
    if (options_.ce_weight > 0) loss.metrics.emplace_back("ce", sum.ce);
    return loss;
  }

  [[noreturn]] static void rethrow(const std::exception_ptr& failure, std::int64_t failed_row) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("row " + std::to_string(failed_row) + ": " + error.what());
    }
  }

  void check_shapes(const retort::DistillBatch& batch, const retort::Gradient& gradient) {
    retort::distill::check_token_shapes(batch, gradient, top_k_);
    if (options_.ce_weight > 0 || batch.labels) expect_shape(batch.labels, "labels", batch.rows());
    const std::int64_t student = batch.vocabulary();
    for (const retort::TeacherSignals& teacher : batch.teachers)
      if (top_k_ == 0)
        notice_.tell("distill.forward_kl", student, teacher.logits.columns(),
                     student < teacher.logits.columns() ? "; the teacher is renormalised over them"
                                                        : "; the teacher gives the student's others probability 0");
  }

  ForwardKlOptions options_;
  std::int64_t top_k_ = 0;
  retort::distill::VocabularyNotice notice_;
};

}  // namespace

RETORT_PLUGIN_LIST("forward_kl", "1.0.0", "Apache-2.0",
                   retort::component<ForwardKl>("distill.forward_kl", "1.0.0",
                                                "forward KL to the teacher: full logits or top k, temperature, "
                                                "optional cross-entropy with the labels"));
