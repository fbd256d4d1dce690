/* retort.rl/1: a policy-gradient algorithm. B prompts, G samples of each, T response positions, R = B·G rows of a step:
 * row b·G+g is sample g of prompt b. K named rewards. */
#ifndef RETORT_ABI_RL_H
#define RETORT_ABI_RL_H

#include "base.h"
#include "plugin.h"
#include "signals.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_RL_INTERFACE "retort.rl/1"

#define RETORT_RL_WHOLE_GROUPS 1u /* loss() uses rewards of other rows: every call holds whole groups */
#define RETORT_RL_CONSTANT_RATIO \
  2u /* gradients are those of the loss at a constant ratio of log_probs to old_log_probs */

typedef struct retort_rl_requirements {
  uint32_t struct_size;
  uint32_t flags;       /* RETORT_RL_… */
  uint64_t signals;     /* REFERENCE_LOG_PROBS, VALUES, ENTROPIES, TOKEN_REWARDS, SAMPLER_LOG_PROBS */
  int64_t group_size;   /* G, at least 1 */
  int64_t updates;      /* passes over one batch of rollouts, at least 1 */
  int64_t mini_batches; /* optimiser steps a pass, at least 1: with updates 1 and mini_batches 1 every ratio is 1 */
  /* Dynamic sampling: in place of prompts of which advantages() keeps no row, others are asked, at most so many times
   * a step; advantages() is called on each round's rows, and once more on all that stay. 0: never. */
  int64_t refill_rounds;
} retort_rl_requirements;

/* Tensors that were not asked for are NULL. f32 unless said otherwise. All log-probabilities are those of the sampled
 * tokens at the sampling temperature, over the whole vocabulary. advantages() sees all R rows; loss() sees r ≤ R of
 * them, in any number of calls. */
typedef struct retort_rl_batch {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* rows;                /* [r] int64: number of the row in the step; ascending */
  const retort_tensor* groups;              /* [r] int64: number of its prompt, row / G */
  const retort_tensor* rewards;             /* [r] the rows' scores, the first named one or the stage's weighted sum */
  const retort_tensor* reward_parts;        /* [r,K] every named score */
  const retort_tensor* token_rewards;       /* [r,T] 0 where the mask is 0 */
  const retort_tensor* finished;            /* [r] 1: ended by the end token; 0: cut at the longest length */
  const retort_tensor* mask;                /* [r,T] 1 where the response has a token of the policy's own */
  const retort_tensor* log_probs;           /* [r,T] under the policy that is trained, now */
  const retort_tensor* old_log_probs;       /* [r,T] under the policy at the begin of the step, by the trainer */
  const retort_tensor* sampler_log_probs;   /* [r,T] what the engine that sampled said: another program */
  const retort_tensor* reference_log_probs; /* [r,T] under the frozen reference */
  const retort_tensor* values;              /* [r,T] of the value head, now */
  const retort_tensor* old_values;          /* [r,T] at the begin of the step */
  const retort_tensor* entropies;           /* [r,T] of the policy's distribution, now */
  const retort_tensor* advantages;          /* [r,T] what advantages() wrote; NULL in advantages() */
  const retort_tensor* returns;             /* [r,T] likewise; only with VALUES */
  /* Of the whole update (a mini-batch of the step, rows kept): the parts' losses add up to the update's loss. */
  int64_t update_rows;    /* rows */
  int64_t update_tokens;  /* Σ mask */
  int64_t update_groups;  /* prompts with a row in it */
  int64_t group_size;     /* G */
  int64_t maximum_tokens; /* the longest response that sampling allowed */
  int64_t update;         /* optimiser step within this batch of rollouts, from 0 to updates·mini_batches - 1 */
  double temperature;     /* of the rollouts */
} retort_rl_batch;

/* Written by advantages(); allocated by the host. */
typedef struct retort_rl_advantages {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* advantages; /* [R,T], filled with NaN: every element is to be written */
  const retort_tensor* returns;    /* [R,T] what values learn; NULL without VALUES */
  const retort_tensor* keep;       /* [R] 1; write 0 for rows that take no part in loss() */
  const retort_metric_sink* metrics;
} retort_rl_advantages;

/* Written by loss(); gradients are filled with NaN, and NULL where only the value is wanted. */
typedef struct retort_rl_result {
  uint32_t struct_size;
  uint32_t reserved;
  double loss;                             /* these rows' share of the update's loss */
  const retort_tensor* log_probs_gradient; /* [r,T] */
  const retort_tensor* values_gradient;    /* [r,T]; NULL without VALUES */
  const retort_tensor* entropies_gradient; /* [r,T]; NULL without ENTROPIES */
  const retort_metric_sink* metrics;       /* shares of the update too */
} retort_rl_result;

typedef struct retort_rl_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_rl_requirements* out); /* [any-thread] */
  /* Once a step, of all its rows. [one-at-a-time per instance] */
  retort_error* (*advantages)(retort_instance* instance, const retort_rl_batch* batch, retort_rl_advantages* out);
  /* Must depend on the batch alone: the host makes one instance a thread. [one-at-a-time per instance] */
  retort_error* (*loss)(retort_instance* instance, const retort_rl_batch* batch, retort_rl_result* result);
} retort_rl_v1;

#define RETORT_RL_V1_SIZE 32u

#ifdef __cplusplus
}
#endif
#endif
