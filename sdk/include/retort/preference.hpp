// Base class of preference losses (retort.preference/1).
#pragma once

#include <retort/abi/preference.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct PreferenceRequirements {
  std::uint64_t signals = 0;  ///< REFERENCE_LOG_PROBS
  std::uint32_t flags = 0;    ///< RETORT_PREFERENCE_…
};

/// C chosen and J rejected sequences; unless UNPAIRED, row i of each is pair i.
struct PreferenceBatch {
  struct Side {
    TensorView<const float> log_probs;            ///< [C] Σ_t log π(token)
    TensorView<const float> lengths;              ///< [C] response tokens
    TensorView<const float> reference_log_probs;  ///< [C]; empty unless asked for
    TensorView<const float> weights;              ///< [C]
  };
  Side chosen, rejected;
  double step_weight;
  std::int64_t step, total_steps;

  explicit PreferenceBatch(const retort_preference_batch& batch)
      : chosen{{batch.chosen_log_probs, "chosen_log_probs", 1},
               {batch.chosen_lengths, "chosen_lengths", 1},
               {batch.reference_chosen_log_probs, "reference_chosen_log_probs", 1},
               {batch.chosen_weights, "chosen_weights", 1}},
        rejected{{batch.rejected_log_probs, "rejected_log_probs", 1},
                 {batch.rejected_lengths, "rejected_lengths", 1},
                 {batch.reference_rejected_log_probs, "reference_rejected_log_probs", 1},
                 {batch.rejected_weights, "rejected_weights", 1}},
        step_weight(batch.step_weight),
        step(batch.step),
        total_steps(batch.total_steps) {}
};

/// Empty views: only the value is wanted.
struct PreferenceGradient {
  TensorView<float> chosen, rejected;  ///< [C], [J] d loss / d log_probs, every element to be written
};

class Preference : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_PREFERENCE_INTERFACE;
  virtual PreferenceRequirements requirements() const { return {}; }
  struct Result {
    double loss = 0;
    Metrics metrics;
  };
  /// Σ weight·loss over pairs (or sequences), and its gradient.
  virtual Result loss(const PreferenceBatch& batch, const PreferenceGradient& gradient) = 0;

  const void* table(std::string_view id) const final {
    static const retort_preference_v1 functions = {RETORT_PREFERENCE_V1_SIZE, 0, &abi_requirements, &abi_loss};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_preference_requirements* out) {
    return detail::guarded([&] {
      const PreferenceRequirements wanted = detail::self<Preference>(instance).requirements();
      out->flags = wanted.flags;
      out->signals = wanted.signals;
    });
  }
  static retort_error* abi_loss(retort_instance* instance, const retort_preference_batch* batch,
                                retort_preference_result* out) {
    return detail::guarded([&] {
      const Result result = detail::self<Preference>(instance).loss(
          PreferenceBatch(*batch), {{out->chosen_log_probs_gradient, "chosen_log_probs_gradient", 1},
                                    {out->rejected_log_probs_gradient, "rejected_log_probs_gradient", 1}});
      out->loss = result.loss;
      detail::report(out->metrics, result.metrics);
    });
  }
};

}  // namespace retort
