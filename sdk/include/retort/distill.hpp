// Base class of distillation losses (retort.distill/1).
#pragma once

#include <retort/abi/distill.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>
#include <string>
#include <vector>

namespace retort {

struct ModelShape {
  std::int64_t layers = 0, hidden = 0, vocabulary = 0;
};

/// What a run is about, known before its first batch.
struct DistillSetup {
  ModelShape student;
  std::vector<ModelShape> teachers;
  std::int64_t total_steps = 0;
  std::uint64_t seed = 0;

  explicit DistillSetup(const retort_distill_setup& setup)
      : student(shape_of(*setup.student)), total_steps(setup.total_steps), seed(setup.seed) {
    const char* next = reinterpret_cast<const char*>(setup.teachers);
    for (std::uint32_t i = 0; i < setup.teacher_count; ++i) {
      const auto& teacher = *reinterpret_cast<const retort_model_shape*>(next);
      teachers.push_back(shape_of(teacher));
      next += teacher.struct_size;
    }
  }

 private:
  static ModelShape shape_of(const retort_model_shape& shape) { return {shape.layers, shape.hidden, shape.vocabulary}; }
};

/// A tensor that the loss trains beside the student.
struct TrainedParameter {
  std::string name;
  std::vector<std::int64_t> shape;  ///< at most two dimensions in this layer
};

/// What a loss wants to see; see the ABI header for the signals and for how layers count.
struct DistillRequirements {
  std::uint64_t signals = RETORT_SIGNAL_TEACHER_LOGITS;
  std::int64_t top_k = 0;
  double on_policy_fraction = 0;
  std::uint32_t flags = 0;                                   ///< RETORT_DISTILL_…
  std::vector<std::int64_t> student_layers, teacher_layers;  ///< pairs, with RETORT_SIGNAL_HIDDEN_STATES
  std::vector<TrainedParameter> parameters;
};

/// What one teacher says. Views that were not asked for are empty.
struct TeacherSignals {
  double weight = 1;
  TensorView<const float> logits;                ///< [N,V_teacher]
  TensorView<const std::int64_t> top_ids;        ///< [N,k], most likely first
  TensorView<const float> top_log_probs;         ///< [N,k]
  TensorView<const float> tail_mass;             ///< [N]
  std::vector<TensorView<const float>> hidden;   ///< [Lh] of [N,D_teacher]
  TensorView<const std::int64_t> labels, spans;  ///< [N_teacher], [M,4]

  TeacherSignals(const retort_distill_teacher& teacher, std::int64_t layers)
      : weight(teacher.weight),
        logits(teacher.logits, "teacher logits", 2),
        top_ids(teacher.top_ids, "teacher top_ids", 2),
        top_log_probs(teacher.top_log_probs, "teacher top_log_probs", 2),
        tail_mass(teacher.tail_mass, "teacher tail_mass", 1),
        hidden(tensor_list<const float>(teacher.hidden, layers, "teacher hidden", 2)),
        labels(teacher.labels, "teacher labels", 1),
        spans(teacher.spans, "teacher spans", 2) {}
};

/// N rows, V vocabulary, k kept entries, D hidden. Views that were not asked for are empty.
struct DistillBatch {
  TensorView<const float> student_logits;                        ///< [N,V]
  std::vector<TensorView<const float>> student_hidden;           ///< [Lh] of [N,D_student]
  std::vector<TeacherSignals> teachers;                          ///< at least one
  TensorView<const std::int64_t> labels;                         ///< [N]
  TensorView<const float> mask;                                  ///< [N]
  TensorView<const std::int64_t> sequences, positions, lengths;  ///< [N]
  std::vector<TensorView<const float>> parameters;               ///< [P], as [rows,columns]; one dimension as [rows]
  std::int64_t step = 0, total_steps = 0, step_sequences = 0;
  double step_weight = 0;
  bool on_policy = false;

  /// `wanted` is what this instance's requirements said.
  DistillBatch(const retort_distill_batch& batch, const DistillRequirements& wanted)
      : student_logits(batch.student_logits, "student_logits", 2),
        student_hidden(tensor_list<const float>(
            batch.student_hidden, static_cast<std::int64_t>(wanted.student_layers.size()), "student_hidden", 2)),
        labels(batch.labels, "labels", 1),
        mask(batch.mask, "mask", 1),
        sequences(batch.sequences, "sequences", 1),
        positions(batch.positions, "positions", 1),
        lengths(batch.lengths, "lengths", 1),
        step(batch.step),
        total_steps(batch.total_steps),
        step_sequences(batch.step_sequences),
        step_weight(batch.step_weight),
        on_policy(batch.on_policy != 0) {
    const char* next = reinterpret_cast<const char*>(batch.teachers);
    for (std::uint64_t i = 0; i < batch.teacher_count; ++i) {
      const auto& teacher = *reinterpret_cast<const retort_distill_teacher*>(next);
      teachers.emplace_back(teacher, static_cast<std::int64_t>(wanted.teacher_layers.size()));
      next += teacher.struct_size;
    }
    for (std::size_t i = 0; batch.parameters != nullptr && i < wanted.parameters.size(); ++i)
      parameters.emplace_back(batch.parameters[i], wanted.parameters[i].name.c_str(),
                              static_cast<int>(wanted.parameters[i].shape.size()));
  }
  std::int64_t rows() const { return student_logits.rows(); }
  std::int64_t vocabulary() const { return student_logits.columns(); }
  const TeacherSignals& teacher() const { return teachers.front(); }
};

/// Where the gradient goes; empty views: only the value is wanted.
struct Gradient {
  TensorView<float> logits;                   ///< [N,V] d loss / d student_logits, every element to be written
  std::vector<TensorView<float>> hidden;      ///< [Lh] of [N,D_student]
  std::vector<TensorView<float>> parameters;  ///< [P]
};

/// Sums over rows: of the loss, and of what is worth plotting.
struct Loss {
  double value = 0;
  Metrics metrics;
};

/// A loss overrides loss(); one that wants more than the teacher's logits, requirements(); one that trains parameters
/// of its own, initialise() too.
class DistillStrategy : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_DISTILL_INTERFACE;
  /// `setup` is nullptr before the models are known; layers and parameters may then be left out.
  virtual DistillRequirements requirements(const DistillSetup* /*setup*/) const { return {}; }
  /// The initial values of requirements().parameters[index].
  virtual void initialise(const DistillSetup& /*setup*/, std::size_t /*index*/, TensorView<float> /*values*/) {
    throw std::logic_error("this loss declares trained parameters and does not override initialise()");
  }
  /// Σ_rows mask·loss_row and its gradient. A sum over rows: the host may pass the rows in parts.
  virtual Loss loss(const DistillBatch& batch, const Gradient& gradient) = 0;

  const void* table(std::string_view id) const final {
    static const retort_distill_v1 functions = {RETORT_DISTILL_V1_SIZE, 0, &abi_requirements, &abi_initialise,
                                                &abi_loss};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, const retort_distill_setup* setup,
                                        retort_distill_requirements* out) {
    return detail::guarded([&] { detail::self<DistillStrategy>(instance).answer_requirements(setup, *out); });
  }
  static retort_error* abi_initialise(retort_instance* instance, const retort_distill_setup* setup, std::uint64_t index,
                                      const retort_tensor* values) {
    return detail::guarded([&] {
      detail::self<DistillStrategy>(instance).initialise(DistillSetup(*setup), static_cast<std::size_t>(index),
                                                         {values, "values", values->dimensions});
    });
  }
  static retort_error* abi_loss(retort_instance* instance, const retort_distill_batch* batch,
                                retort_distill_result* result) {
    return detail::guarded([&] {
      auto& self = detail::self<DistillStrategy>(instance);
      const DistillRequirements& wanted = self.wanted_;
      Gradient gradient{
          {result->logits_gradient, "logits_gradient", 2},
          tensor_list<float>(result->hidden_gradients, static_cast<std::int64_t>(wanted.student_layers.size()),
                             "hidden_gradients", 2),
          {}};
      for (std::size_t i = 0; result->parameter_gradients != nullptr && i < wanted.parameters.size(); ++i)
        gradient.parameters.emplace_back(result->parameter_gradients[i], wanted.parameters[i].name.c_str(),
                                         static_cast<int>(wanted.parameters[i].shape.size()));
      const Loss loss = self.loss(DistillBatch(*batch, wanted), gradient);
      result->loss = loss.value;
      detail::report(result->metrics, loss.metrics);
    });
  }

  /// Keeps the answer, which the ABI's struct points into.
  void answer_requirements(const retort_distill_setup* setup, retort_distill_requirements& out) {
    if (setup != nullptr) {
      const DistillSetup known(*setup);
      wanted_ = requirements(&known);
    } else {
      wanted_ = requirements(nullptr);
    }
    if (wanted_.student_layers.size() != wanted_.teacher_layers.size())
      throw std::logic_error("student_layers and teacher_layers differ in length");
    parameters_.clear();
    for (const TrainedParameter& parameter : wanted_.parameters)
      parameters_.push_back({sizeof(retort_trained_parameter), static_cast<std::int32_t>(parameter.shape.size()),
                             to_abi(parameter.name), parameter.shape.data()});
    out.flags = wanted_.flags;
    out.signals = wanted_.signals;
    out.top_k = wanted_.top_k;
    out.on_policy_fraction = wanted_.on_policy_fraction;
    out.layer_count = static_cast<std::int64_t>(wanted_.student_layers.size());
    out.student_layers = wanted_.student_layers.data();
    out.teacher_layers = wanted_.teacher_layers.data();
    out.parameter_count = parameters_.size();
    out.parameters = parameters_.data();
  }

  DistillRequirements wanted_;
  std::vector<retort_trained_parameter> parameters_;
};

}  // namespace retort
