/* retort.rl/1: a policy-gradient algorithm. B prompts, G samples of each, T response positions, R = B·G rows: row b·G+g
 * is sample g of prompt b. */
#ifndef RETORT_ABI_RL_H
#define RETORT_ABI_RL_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_RL_INTERFACE "retort.rl/1"

#define RETORT_RL_NEEDS_REFERENCE 1u /* log-probabilities under the frozen starting policy */
#define RETORT_RL_NEEDS_VALUES 2u    /* a critic's value of every position */
#define RETORT_RL_NEEDS_PAIRS 4u     /* G is 2: sample 0 chosen, sample 1 rejected */

typedef struct retort_rl_requirements {
  uint32_t struct_size;
  uint32_t needs;
  int64_t group_size; /* G */
} retort_rl_requirements;

/* Tensors that were not asked for are NULL. f32. */
typedef struct retort_rl_batch {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* rewards;             /* [B,G] */
  const retort_tensor* mask;                /* [R,T] 1 where the response has a token */
  const retort_tensor* log_probs;           /* [R,T] of the sampled tokens under the policy that is trained */
  const retort_tensor* old_log_probs;       /* [R,T] under the policy that sampled */
  const retort_tensor* reference_log_probs; /* [R,T] under the frozen reference */
  const retort_tensor* values;              /* [R,T] */
  const retort_tensor* advantages;          /* [R,T] what advantages() wrote */
  /* The loss of a step may be computed in parts (micro-batches of whole rows); these describe the whole step, so that
   * the parts' losses add up to the step's loss. */
  int64_t step_rows;      /* R of the whole step */
  int64_t step_tokens;    /* Σ mask of the whole step */
  int64_t maximum_tokens; /* the longest response that sampling allowed */
} retort_rl_batch;

typedef struct retort_rl_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_rl_requirements* out); /* [any-thread] */
  /* From rewards and mask (old_log_probs, reference_log_probs, values where declared) of the whole step: writes
   * `advantages` [R,T] f32, and into `keep` [B] f32 1 for the groups to train on and 0 for those to leave out; keep may
   * be NULL. [one-at-a-time per instance] */
  retort_error* (*advantages)(retort_instance* instance, const retort_rl_batch* batch, const retort_tensor* advantages,
                              const retort_tensor* keep, const retort_metric_sink* metrics);
  /* The loss of these rows and d loss / d log_probs ([R,T], every element written), and d loss / d values where values
   * were asked for, else NULL. Gradient pointers may be NULL. [one-at-a-time per instance] */
  retort_error* (*loss)(retort_instance* instance, const retort_rl_batch* batch, double* loss,
                        const retort_tensor* log_probs_gradient, const retort_tensor* values_gradient,
                        const retort_metric_sink* metrics);
} retort_rl_v1;

#ifdef __cplusplus
}
#endif
#endif
