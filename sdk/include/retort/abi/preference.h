/* retort.preference/1: learning from pairs of answers, of which one is better (DPO, IPO, SimPO, ORPO), or from answers
 * that are good or bad by themselves (KTO). C chosen and J rejected sequences of a part. */
#ifndef RETORT_ABI_PREFERENCE_H
#define RETORT_ABI_PREFERENCE_H

#include "base.h"
#include "plugin.h"
#include "signals.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_PREFERENCE_INTERFACE "retort.preference/1"

#define RETORT_PREFERENCE_UNPAIRED 1u /* C and J differ and row i of one has nothing to do with row i of the other */

typedef struct retort_preference_requirements {
  uint32_t struct_size;
  uint32_t flags;   /* RETORT_PREFERENCE_… */
  uint64_t signals; /* REFERENCE_LOG_PROBS */
} retort_preference_requirements;

/* Sums over a sequence's response tokens, at temperature 1. Unless UNPAIRED, C = J and row i of each is pair i. f32.
 * The host may pass the pairs of a step in any number of calls, so a loss must be a sum over pairs (or sequences). */
typedef struct retort_preference_batch {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* chosen_log_probs;             /* [C] Σ_t log π(token) */
  const retort_tensor* rejected_log_probs;           /* [J] */
  const retort_tensor* chosen_lengths;               /* [C] response tokens */
  const retort_tensor* rejected_lengths;             /* [J] */
  const retort_tensor* reference_chosen_log_probs;   /* [C]; NULL unless asked for */
  const retort_tensor* reference_rejected_log_probs; /* [J] */
  const retort_tensor* chosen_weights;               /* [C] of the pair or sequence; 1 unless the data says otherwise */
  const retort_tensor* rejected_weights;             /* [J] equals chosen_weights where paired */
  double step_weight; /* Σ of the weights of the step's pairs (sequences where UNPAIRED): what the host divides by */
  int64_t step;       /* from 0 */
  int64_t total_steps;
} retort_preference_batch;

/* Gradients are filled with NaN, and NULL where only the value is wanted. */
typedef struct retort_preference_result {
  uint32_t struct_size;
  uint32_t reserved;
  double loss;                                      /* Σ weight·loss_pair */
  const retort_tensor* chosen_log_probs_gradient;   /* [C] */
  const retort_tensor* rejected_log_probs_gradient; /* [J] */
  const retort_metric_sink* metrics;                /* sums too */
} retort_preference_result;

typedef struct retort_preference_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_preference_requirements* out); /* [any-thread] */
  /* The host makes one instance a thread. [one-at-a-time per instance] */
  retort_error* (*loss)(retort_instance* instance, const retort_preference_batch* batch,
                        retort_preference_result* result);
} retort_preference_v1;

#define RETORT_PREFERENCE_V1_SIZE 24u

#ifdef __cplusplus
}
#endif
#endif
