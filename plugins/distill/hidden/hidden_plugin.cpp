// distill.hidden: batches, parameters and trained projections around the rows of hidden.h, and the forward KL of the
// logits beside them.
//
// loss_row = hidden_weight·mean over pairs of layers (distance) + kl_weight·KL(p‖q)      (of several teachers:
// weighted)
#include <algorithm>
#include <cstdint>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "forward_kl.h"
#include "hidden.h"
#include "teacher_rows.h"

namespace {

using retort::distill::Distance;
using retort::distill::Projection;
using retort::distill::span_of;

template <typename T>
retort::distill::Rows<T> rows_of(const retort::TensorView<T>& view) {
  return {view.row(0), view.row(1) - view.row(0)};
}

class Hidden : public retort::DistillStrategy {
 public:
  struct Params {
    std::vector<std::int64_t> student_layers{0, -1}, teacher_layers{0, -1};
    std::string distance = "cosine";
    std::string projection = "unequal";
    double hidden_weight = 1;
    double kl_weight = 1;
    double temperature = 1;
  };
  static auto schema() {
    return retort::params<Params>()
        .integers("student_layers", &Params::student_layers)
        .doc(
            "layers of the student whose output is compared, one for each of teacher_layers; from 0, or -1: after the "
            "final norm, -2 and below: layers from the end")
        .integers("teacher_layers", &Params::teacher_layers)
        .doc("the teacher's layer for each of student_layers")
        .string("distance", &Params::distance)
        .one_of({"cosine", "mse"})
        .doc("1 − cosine, or squared error averaged over the teacher's width")
        .string("projection", &Params::projection)
        .one_of({"unequal", "always"})
        .doc(
            "a trained matrix without bias takes the student's states to the teacher's width: where they differ, or "
            "always")
        .number("hidden_weight", &Params::hidden_weight)
        .above(0)
        .doc("weight of the distance, averaged over the pairs of layers")
        .number("kl_weight", &Params::kl_weight)
        .at_least(0)
        .doc("weight of the forward KL of the logits; 0: hidden states only")
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("softmax temperature T of the KL, which is multiplied by T²");
  }

  explicit Hidden(const Params& params)
      : params_(params), distance_(params.distance == "mse" ? Distance::mse : Distance::cosine) {
    if (params.student_layers.empty() || params.student_layers.size() != params.teacher_layers.size())
      throw std::invalid_argument("student_layers, teacher_layers: expected as many of one as of the other, at least " +
                                  std::string("one; found ") + std::to_string(params.student_layers.size()) + " and " +
                                  std::to_string(params.teacher_layers.size()));
    kl_.temperature = params.temperature;
  }

  retort::DistillRequirements requirements(const retort::DistillSetup* setup) const override {
    retort::DistillRequirements wanted;
    wanted.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
    wanted.signals = RETORT_SIGNAL_HIDDEN_STATES;
    if (params_.kl_weight > 0) wanted.signals |= RETORT_SIGNAL_TEACHER_LOGITS;
    wanted.student_layers = params_.student_layers;
    wanted.teacher_layers = params_.teacher_layers;
    if (setup == nullptr) return wanted;
    check_layers("student_layers", params_.student_layers, setup->student);
    for (std::size_t a = 0; a < setup->teachers.size(); ++a) {
      const retort::ModelShape& teacher = setup->teachers[a];
      check_layers("teacher_layers", params_.teacher_layers, teacher);
      for (std::size_t l = 0; projects(setup->student.hidden, teacher.hidden) && l < pairs(); ++l)
        wanted.parameters.push_back(
            {"projection_" + std::to_string(a) + "_" + std::to_string(l), {teacher.hidden, setup->student.hidden}});
    }
    return wanted;
  }

  void initialise(const retort::DistillSetup& setup, std::size_t index, retort::TensorView<float> values) override {
    for (std::int64_t i = 0; i < values.rows(); ++i)
      retort::distill::initialise_row(setup.seed, index, static_cast<std::uint64_t>(i), span_of(values, i));
  }

  retort::Loss loss(const retort::DistillBatch& batch, const retort::Gradient& gradient) override {
    check_shapes(batch, gradient);
    clear(gradient);
    double divergence = 0;
    std::vector<double> distances(pairs());
    std::size_t next_parameter = 0;
    for (const retort::TeacherSignals& teacher : batch.teachers) {
      const std::vector<Projection> projections = projections_to(teacher, batch, gradient, next_parameter);
      for (std::int64_t n = 0; n < batch.rows(); ++n) {
        const double weight = teacher.weight * (batch.mask ? static_cast<double>(batch.mask[n]) : 1.0);
        if (weight == 0) continue;
        try {
          for (std::size_t l = 0; l < pairs(); ++l)
            distances[l] += retort::distill::hidden_distance(
                distance_, weight * params_.hidden_weight / static_cast<double>(pairs()),
                span_of(batch.student_hidden[l], n), span_of(teacher.hidden[l], n), projections[l],
                gradient.hidden.empty() ? std::span<float>() : span_of(gradient.hidden[l], n), scratch_);
          if (params_.kl_weight > 0) divergence += add_divergence(batch, teacher, gradient, n, weight);
        } catch (const std::invalid_argument& error) {
          throw std::invalid_argument("row " + std::to_string(n) + ": " + error.what());
        }
      }
    }
    return total(distances, divergence);
  }

 private:
  std::size_t pairs() const { return params_.student_layers.size(); }
  bool projects(std::int64_t student, std::int64_t teacher) const {
    return student != teacher || params_.projection == "always";
  }

  static void check_layers(const char* name, const std::vector<std::int64_t>& layers, const retort::ModelShape& model) {
    for (const std::int64_t layer : layers)
      if (layer >= model.layers || layer < -1 - model.layers)
        throw std::invalid_argument(std::string(name) + ": expected layers from " + std::to_string(-1 - model.layers) +
                                    " to " + std::to_string(model.layers - 1) + " of a model with " +
                                    std::to_string(model.layers) + ", found " + std::to_string(layer));
  }

  /// One a pair, those of a teacher of the student's width empty; takes their place among the loss's parameters.
  std::vector<Projection> projections_to(const retort::TeacherSignals& teacher, const retort::DistillBatch& batch,
                                         const retort::Gradient& gradient, std::size_t& next) const {
    std::vector<Projection> projections(pairs());
    for (std::size_t l = 0; l < pairs(); ++l) {
      const std::int64_t student_width = batch.student_hidden[l].columns(), width = teacher.hidden[l].columns();
      if (!projects(student_width, width)) continue;
      if (next >= batch.parameters.size())
        throw std::invalid_argument("parameters: expected a projection for each pair of layers, found " +
                                    std::to_string(batch.parameters.size()));
      expect_shape(batch.parameters[next], "projection", width, student_width);
      projections[l].weight = rows_of(batch.parameters[next]);
      if (!gradient.parameters.empty()) {
        expect_shape(gradient.parameters[next], "gradient of a projection", width, student_width);
        projections[l].gradient = rows_of(gradient.parameters[next]);
      }
      ++next;
    }
    return projections;
  }

  /// The forward KL of one row, its gradient added.
  double add_divergence(const retort::DistillBatch& batch, const retort::TeacherSignals& teacher,
                        const retort::Gradient& gradient, std::int64_t n, double weight) {
    retort::distill::Row row;
    row.student = span_of(batch.student_logits, n);
    row.teacher = span_of(teacher.logits, n);
    row.weight = weight * params_.kl_weight;
    by_logits_.resize(gradient.logits ? row.student.size() : 0);
    const auto result = retort::distill::forward_kl(kl_, row, by_logits_, kl_scratch_);
    const std::span<float> sum = span_of(gradient.logits, n);
    for (std::size_t v = 0; v < by_logits_.size(); ++v) sum[v] += by_logits_[v];
    return result.loss;
  }

  static void clear(const retort::Gradient& gradient) {
    const auto zero = [](const retort::TensorView<float>& view) {
      for (std::int64_t i = 0; view && i < view.rows(); ++i) std::fill_n(view.row(i), view.columns(), 0.0F);
    };
    zero(gradient.logits);
    for (const auto& view : gradient.hidden) zero(view);
    for (const auto& view : gradient.parameters) zero(view);
  }

  retort::Loss total(const std::vector<double>& distances, double divergence) const {
    retort::Loss loss{divergence, {}};
    for (std::size_t l = 0; l < pairs(); ++l) {
      loss.value += distances[l];
      loss.metrics.emplace_back("distance_" + std::to_string(l),
                                distances[l] * static_cast<double>(pairs()) / params_.hidden_weight);
    }
    if (params_.kl_weight > 0) loss.metrics.emplace_back("kl", divergence / params_.kl_weight);
    return loss;
  }

  void check_shapes(const retort::DistillBatch& batch, const retort::Gradient& gradient) const {
    if (!batch.student_logits) throw std::invalid_argument("student_logits: missing");
    if (batch.teachers.empty()) throw std::invalid_argument("teachers: expected at least one, found none");
    const std::int64_t rows = batch.rows();
    const auto check_list = [&](const auto& views, const char* name) {
      if (views.size() != pairs())
        throw std::invalid_argument(std::string(name) + ": expected " + std::to_string(pairs()) +
                                    " layers (requirements() is to be called first), found " +
                                    std::to_string(views.size()));
      for (const auto& view : views) expect_shape(view, name, rows, -1);
    };
    check_list(batch.student_hidden, "student_hidden");
    for (const retort::TeacherSignals& teacher : batch.teachers) {
      check_list(teacher.hidden, "teacher hidden");
      if (params_.kl_weight > 0) expect_shape(teacher.logits, "teacher logits", rows, -1);
    }
    if (batch.mask) expect_shape(batch.mask, "mask", rows);
    if (gradient.logits) expect_shape(gradient.logits, "logits_gradient", rows, batch.vocabulary());
    for (std::size_t l = 0; l < gradient.hidden.size(); ++l)
      expect_shape(gradient.hidden[l], "hidden_gradients", rows, batch.student_hidden[l].columns());
  }

  Params params_;
  Distance distance_;
  retort::distill::ForwardKlOptions kl_;
  retort::distill::HiddenScratch scratch_;
  retort::distill::Scratch kl_scratch_;
  std::vector<float> by_logits_;
};

}  // namespace

RETORT_PLUGIN_LIST("hidden", "1.0.0", "Apache-2.0",
                   retort::component<Hidden>("distill.hidden", "1.0.0",
                                             "distance of chosen layers' hidden states, through a trained projection "
                                             "where widths differ, with the forward KL of the logits"));
