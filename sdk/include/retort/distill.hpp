// Base class of distillation losses (retort.distill/1).
#pragma once

#include <retort/abi/distill.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>

namespace retort {

/// What a loss wants to see; see the ABI header for the signals.
struct DistillRequirements {
  std::uint32_t signals = RETORT_SIGNAL_TEACHER_LOGITS;
  std::int64_t top_k = 0;
  double on_policy_fraction = 0;
};

/// N rows, V vocabulary, k kept entries, D hidden. Views that were not asked for are empty.
struct DistillBatch {
  TensorView<const float> student_logits;          ///< [N,V]
  TensorView<const float> teacher_logits;          ///< [N,V]
  TensorView<const std::int64_t> teacher_top_ids;  ///< [N,k]
  TensorView<const float> teacher_top_log_probs;   ///< [N,k]
  TensorView<const float> student_hidden;          ///< [N,D_student]
  TensorView<const float> teacher_hidden;          ///< [N,D_teacher]
  TensorView<const std::int64_t> labels;           ///< [N]
  TensorView<const float> mask;                    ///< [N]

  explicit DistillBatch(const retort_distill_batch& batch)
      : student_logits(batch.student_logits, "student_logits", 2),
        teacher_logits(batch.teacher_logits, "teacher_logits", 2),
        teacher_top_ids(batch.teacher_top_ids, "teacher_top_ids", 2),
        teacher_top_log_probs(batch.teacher_top_log_probs, "teacher_top_log_probs", 2),
        student_hidden(batch.student_hidden, "student_hidden", 2),
        teacher_hidden(batch.teacher_hidden, "teacher_hidden", 2),
        labels(batch.labels, "labels", 1),
        mask(batch.mask, "mask", 1) {}
  std::int64_t rows() const { return student_logits.rows(); }
  std::int64_t vocabulary() const { return student_logits.columns(); }
};

/// Where the gradient goes; empty views: only the value is wanted.
struct Gradient {
  TensorView<float> logits;  ///< [N,V] d loss / d student_logits, every element to be written
  TensorView<float> hidden;  ///< [N,D_student]
};

/// Sums over rows: of the loss, and of what is worth plotting.
struct Loss {
  double value = 0;
  Metrics metrics;
};

class DistillStrategy : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_DISTILL_INTERFACE;
  virtual DistillRequirements requirements() const { return {}; }
  /// Σ_rows mask·loss_row and its gradient. A sum over rows: the host may pass the rows in parts.
  virtual Loss loss(const DistillBatch& batch, const Gradient& gradient) = 0;

  const void* table(std::string_view id) const final {
    static const retort_distill_v1 functions = {sizeof(retort_distill_v1), 0, &abi_requirements, &abi_loss};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_distill_requirements* out) {
    return detail::guarded([&] {
      const DistillRequirements wanted = detail::self<DistillStrategy>(instance).requirements();
      out->signals = wanted.signals;
      out->top_k = wanted.top_k;
      out->on_policy_fraction = wanted.on_policy_fraction;
    });
  }
  static retort_error* abi_loss(retort_instance* instance, const retort_distill_batch* batch, double* loss,
                                const retort_tensor* logits_gradient, const retort_tensor* hidden_gradient,
                                const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      const Gradient gradient{{logits_gradient, "logits_gradient", 2}, {hidden_gradient, "hidden_gradient", 2}};
      const Loss result = detail::self<DistillStrategy>(instance).loss(DistillBatch(*batch), gradient);
      *loss = result.value;
      detail::report(metrics, result.metrics);
    });
  }
};

}  // namespace retort
