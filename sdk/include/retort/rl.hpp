// Base class of policy-gradient algorithms (retort.rl/1).
#pragma once

#include <retort/abi/rl.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct RlRequirements {
  std::int64_t group_size = 1;     ///< G
  std::uint64_t signals = 0;       ///< REFERENCE_LOG_PROBS, VALUES, ENTROPIES, TOKEN_REWARDS, SAMPLER_LOG_PROBS
  std::int64_t updates = 1;        ///< passes over one batch of rollouts
  std::int64_t mini_batches = 1;   ///< optimiser steps a pass
  std::uint32_t flags = 0;         ///< RETORT_RL_…
  std::int64_t refill_rounds = 0;  ///< how often prompts without a kept row are replaced by others
};

/// B prompts, G samples each, r rows of the R = B·G of a step, T positions, K named rewards. Views that were not asked
/// for are empty.
struct RlBatch {
  TensorView<const std::int64_t> rows, groups;  ///< [r] number of the row in the step, and of its prompt
  TensorView<const float> rewards;              ///< [r]
  TensorView<const float> reward_parts;         ///< [r,K]
  TensorView<const float> token_rewards;        ///< [r,T]
  TensorView<const float> finished;             ///< [r]
  TensorView<const float> mask;                 ///< [r,T]
  TensorView<const float> log_probs, old_log_probs, sampler_log_probs, reference_log_probs;  ///< [r,T]
  TensorView<const float> values, old_values, entropies;                                     ///< [r,T]
  TensorView<const float> advantages, returns;                                               ///< [r,T]
  std::int64_t update_rows, update_tokens, update_groups, group_size, maximum_tokens, update;
  double temperature;

  explicit RlBatch(const retort_rl_batch& batch)
      : rows(batch.rows, "rows", 1),
        groups(batch.groups, "groups", 1),
        rewards(batch.rewards, "rewards", 1),
        reward_parts(batch.reward_parts, "reward_parts", 2),
        token_rewards(batch.token_rewards, "token_rewards", 2),
        finished(batch.finished, "finished", 1),
        mask(batch.mask, "mask", 2),
        log_probs(batch.log_probs, "log_probs", 2),
        old_log_probs(batch.old_log_probs, "old_log_probs", 2),
        sampler_log_probs(batch.sampler_log_probs, "sampler_log_probs", 2),
        reference_log_probs(batch.reference_log_probs, "reference_log_probs", 2),
        values(batch.values, "values", 2),
        old_values(batch.old_values, "old_values", 2),
        entropies(batch.entropies, "entropies", 2),
        advantages(batch.advantages, "advantages", 2),
        returns(batch.returns, "returns", 2),
        update_rows(batch.update_rows),
        update_tokens(batch.update_tokens),
        update_groups(batch.update_groups),
        group_size(batch.group_size),
        maximum_tokens(batch.maximum_tokens),
        update(batch.update),
        temperature(batch.temperature) {}
};

/// Where advantages() writes; `returns` is empty unless values were asked for.
struct RlAdvantages {
  TensorView<float> advantages;  ///< [R,T], every element to be written
  TensorView<float> returns;     ///< [R,T]
  TensorView<float> keep;        ///< [R], 1 unless 0 is written: such a row takes no part in loss()
};

/// Where loss() writes; empty views: only the value is wanted.
struct RlGradient {
  TensorView<float> log_probs, values, entropies;  ///< [r,T]
};

class RlAlgorithm : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_RL_INTERFACE;
  virtual RlRequirements requirements() const = 0;
  /// Of all rows of a step, once.
  virtual Metrics advantages(const RlBatch& batch, const RlAdvantages& out) = 0;
  struct Result {
    double loss = 0;
    Metrics metrics;
  };
  /// The rows' share of the update's loss. Depends on the batch alone.
  virtual Result loss(const RlBatch& batch, const RlGradient& gradient) = 0;

  const void* table(std::string_view id) const final {
    static const retort_rl_v1 functions = {RETORT_RL_V1_SIZE, 0, &abi_requirements, &abi_advantages, &abi_loss};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_rl_requirements* out) {
    return detail::guarded([&] {
      const RlRequirements wanted = detail::self<RlAlgorithm>(instance).requirements();
      out->flags = wanted.flags;
      out->signals = wanted.signals;
      out->group_size = wanted.group_size;
      out->updates = wanted.updates;
      out->mini_batches = wanted.mini_batches;
      if (RETORT_HAS_FIELD(out, retort_rl_requirements, refill_rounds)) out->refill_rounds = wanted.refill_rounds;
    });
  }
  static retort_error* abi_advantages(retort_instance* instance, const retort_rl_batch* batch,
                                      retort_rl_advantages* out) {
    return detail::guarded([&] {
      detail::report(out->metrics,
                     detail::self<RlAlgorithm>(instance).advantages(
                         RlBatch(*batch),
                         {{out->advantages, "advantages", 2}, {out->returns, "returns", 2}, {out->keep, "keep", 1}}));
    });
  }
  static retort_error* abi_loss(retort_instance* instance, const retort_rl_batch* batch, retort_rl_result* out) {
    return detail::guarded([&] {
      const Result result = detail::self<RlAlgorithm>(instance).loss(
          RlBatch(*batch), {{out->log_probs_gradient, "log_probs_gradient", 2},
                            {out->values_gradient, "values_gradient", 2},
                            {out->entropies_gradient, "entropies_gradient", 2}});
      out->loss = result.loss;
      detail::report(out->metrics, result.metrics);
    });
  }
};

}  // namespace retort
