// Base class of policy-gradient algorithms (retort.rl/1).
#pragma once

#include <retort/abi/rl.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct RlRequirements {
  std::int64_t group_size = 1;  ///< G
  std::uint32_t needs = 0;      ///< RETORT_RL_NEEDS_…
};

/// B prompts, G samples each, R = B·G rows (sample g of prompt b is row b·G+g), T positions. Views that were not asked
/// for are empty.
struct RlBatch {
  TensorView<const float> rewards;              ///< [B,G]
  TensorView<const float> mask;                 ///< [R,T]
  TensorView<const float> log_probs;            ///< [R,T]
  TensorView<const float> old_log_probs;        ///< [R,T]
  TensorView<const float> reference_log_probs;  ///< [R,T]
  TensorView<const float> values;               ///< [R,T]
  TensorView<const float> advantages;           ///< [R,T]
  std::int64_t step_rows, step_tokens, maximum_tokens;

  explicit RlBatch(const retort_rl_batch& batch)
      : rewards(batch.rewards, "rewards", 2),
        mask(batch.mask, "mask", 2),
        log_probs(batch.log_probs, "log_probs", 2),
        old_log_probs(batch.old_log_probs, "old_log_probs", 2),
        reference_log_probs(batch.reference_log_probs, "reference_log_probs", 2),
        values(batch.values, "values", 2),
        advantages(batch.advantages, "advantages", 2),
        step_rows(batch.step_rows),
        step_tokens(batch.step_tokens),
        maximum_tokens(batch.maximum_tokens) {}
};

class RlAlgorithm : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_RL_INTERFACE;
  virtual RlRequirements requirements() const = 0;
  /// Writes `advantages` [R,T] and, where the view is not empty, `keep` [B]: 1 trains on the group, 0 leaves it out.
  virtual Metrics advantages(const RlBatch& batch, TensorView<float> advantages, TensorView<float> keep) = 0;
  struct Result {
    double loss = 0;
    Metrics metrics;
  };
  /// The rows' share of the step's loss. Gradient views [R,T] may be empty; otherwise every element is written.
  virtual Result loss(const RlBatch& batch, TensorView<float> log_probs_gradient,
                      TensorView<float> values_gradient) = 0;

  const void* table(std::string_view id) const final {
    static const retort_rl_v1 functions = {sizeof(retort_rl_v1), 0, &abi_requirements, &abi_advantages, &abi_loss};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_rl_requirements* out) {
    return detail::guarded([&] {
      const RlRequirements wanted = detail::self<RlAlgorithm>(instance).requirements();
      out->group_size = wanted.group_size;
      out->needs = wanted.needs;
    });
  }
  static retort_error* abi_advantages(retort_instance* instance, const retort_rl_batch* batch,
                                      const retort_tensor* advantages, const retort_tensor* keep,
                                      const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      detail::report(metrics, detail::self<RlAlgorithm>(instance).advantages(
                                  RlBatch(*batch), {advantages, "advantages", 2}, {keep, "keep", 1}));
    });
  }
  static retort_error* abi_loss(retort_instance* instance, const retort_rl_batch* batch, double* loss,
                                const retort_tensor* log_probs_gradient, const retort_tensor* values_gradient,
                                const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      const Result result = detail::self<RlAlgorithm>(instance).loss(
          RlBatch(*batch), {log_probs_gradient, "log_probs_gradient", 2}, {values_gradient, "values_gradient", 2});
      *loss = result.loss;
      detail::report(metrics, result.metrics);
    });
  }
};

}  // namespace retort
