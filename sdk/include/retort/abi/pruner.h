/* retort.pruner/1: decides what of a decoder to keep. L layers, H query heads, K kv heads, D hidden, F feed-forward,
 * V vocabulary. */
#ifndef RETORT_ABI_PRUNER_H
#define RETORT_ABI_PRUNER_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_PRUNER_INTERFACE "retort.pruner/1"

typedef struct retort_prune_structure {
  uint32_t struct_size;
  uint32_t tied_embedding; /* 1: the head is the embedding */
  int64_t layers, heads, kv_heads, head_dim, hidden, feed_forward, vocabulary;
  int64_t parameters;
} retort_prune_structure;

/* Calibration signals: bits of retort_prune_requirements.signals. All f32, accumulated over the calibration batch.
 * Activation norms are Minitron's (arXiv 2407.14679, section 2.2): per channel sqrt(Σ_samples (mean_positions |a|)²).
 */
#define RETORT_SIGNAL_HIDDEN_NORMS 1u       /* [D] after every RMSNorm, summed over layers */
#define RETORT_SIGNAL_FEED_FORWARD_NORMS 2u /* [L,F] of silu(gate)·up */
#define RETORT_SIGNAL_HEAD_NORMS 4u         /* [L,H] of each head's output, L2 over head_dim in place of |a| */
#define RETORT_SIGNAL_BLOCK_INFLUENCE 8u    /* [L] 1 − mean cos(layer input, layer output) */
#define RETORT_SIGNAL_TOKEN_COUNTS 16u      /* [V] occurrences in the calibration data */

typedef struct retort_prune_requirements {
  uint32_t struct_size;
  uint32_t signals;
  int64_t samples; /* calibration sequences */
} retort_prune_requirements;

typedef struct retort_prune_signals {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* hidden_norms;
  const retort_tensor* feed_forward_norms;
  const retort_tensor* head_norms;
  const retort_tensor* block_influence;
  const retort_tensor* token_counts;
} retort_prune_signals;

#define RETORT_AXIS_LAYERS 1u
#define RETORT_AXIS_KV_HEADS 2u     /* a kv head with all its query heads; per layer */
#define RETORT_AXIS_FEED_FORWARD 3u /* per layer */
#define RETORT_AXIS_HIDDEN 4u
#define RETORT_AXIS_VOCABULARY 5u

/* Takes the plan. `layer` is -1 for an axis that all layers share. Indices ascend; an axis that is not mentioned stays
 * whole; every layer must keep the same number. Parameters in config order. */
typedef struct retort_prune_plan_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  void (*keep)(void* context, uint32_t axis, int64_t layer, const int64_t* indices, uint64_t count);
} retort_prune_plan_sink;

typedef struct retort_pruner_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_prune_requirements* out); /* [any-thread] */
  /* [one-at-a-time per instance] */
  retort_error* (*plan)(retort_instance* instance, const retort_prune_structure* structure,
                        const retort_prune_signals* signals, const retort_prune_plan_sink* plan,
                        const retort_metric_sink* metrics);
} retort_pruner_v1;

#ifdef __cplusplus
}
#endif
#endif
