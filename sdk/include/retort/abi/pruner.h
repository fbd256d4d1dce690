/* retort.pruner/1: decides what of a decoder to keep. L layers, H query heads, K kv heads, D hidden, F feed-forward,
 * V vocabulary. */
#ifndef RETORT_ABI_PRUNER_H
#define RETORT_ABI_PRUNER_H

#include "base.h"
#include "plugin.h"
#include "signals.h"

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

#define RETORT_PRUNE_EVALUATES 1u /* plan() calls retort_prune_model.evaluate */

typedef struct retort_prune_requirements {
  uint32_t struct_size;
  uint32_t flags;   /* RETORT_PRUNE_… */
  uint64_t signals; /* HIDDEN_NORMS … FEED_FORWARD_HESSIAN of signals.h */
  int64_t samples;  /* calibration sequences */
} retort_prune_requirements;

/* All f32 unless said otherwise, accumulated over the calibration sequences; NULL where not asked for. Activation norms
 * are Minitron's (arXiv 2407.14679, section 2.2): per channel sqrt(Σ_samples (mean_positions |a|)²). */
typedef struct retort_prune_signals {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* hidden_norms;       /* [D] after every RMSNorm, summed over layers */
  const retort_tensor* feed_forward_norms; /* [L,F] of silu(gate)·up */
  const retort_tensor* head_norms;         /* [L,H] of each head's output, L2 over head_dim in place of |a| */
  const retort_tensor* block_influence;    /* [L] 1 - mean cos(layer input, layer output) (arXiv 2403.03853) */
  const retort_tensor* block_similarity;   /* [L,L] element (i,j), i ≤ j: mean cos(input of layer i, output of layer j);
                                            * 0 below the diagonal */
  const retort_tensor* token_counts;       /* [V] occurrences in the calibration data */
  const retort_tensor* required_tokens;    /* [n] int64, ascending: ids that a vocabulary plan must keep (special
                                            * tokens, bytes); always there */
} retort_prune_signals;

#define RETORT_AXIS_LAYERS 1u
#define RETORT_AXIS_KV_HEADS 2u     /* a kv head with all its query heads; per layer */
#define RETORT_AXIS_FEED_FORWARD 3u /* per layer */
#define RETORT_AXIS_HIDDEN 4u
#define RETORT_AXIS_VOCABULARY 5u /* the host adds what merges of kept tokens need, and rewrites tokenizer and rows */

/* What stays of one axis. `layer` is -1 for an axis that all layers share. Indices ascend; an axis that is not
 * mentioned stays whole; every layer must keep the same number. */
typedef struct retort_prune_keep {
  uint32_t struct_size;
  uint32_t axis; /* RETORT_AXIS_… */
  int64_t layer;
  const int64_t* indices;
  uint64_t count;
} retort_prune_keep;

/* The model while plan() runs. `context` is the functions' first argument. [the thread of plan()] */
typedef struct retort_prune_model {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* A weight by its Hugging Face name, "model.layers.0.mlp.up_proj.weight": f32, read only, valid until the next call
   * of a function of this struct. The error names the nearest name. */
  retort_error* (*weight)(void* context, retort_string name, const retort_tensor** out);
  /* Its mean gradient of the calibration loss, and the mean of the squared gradients of single sequences; errors unless
   * the signals were asked for. Likewise valid until the next call. */
  retort_error* (*gradient)(void* context, retort_string name, const retort_tensor** out);
  retort_error* (*squared_gradient)(void* context, retort_string name, const retort_tensor** out);
  /* Mean loss (nats a token) of the calibration data under a candidate plan; count 0: of the model as it is. Keeps are
   * struct_size bytes apart. The plan must follow the rules of a plan. Takes about as long as a validation. */
  retort_error* (*evaluate)(void* context, const retort_prune_keep* keeps, uint64_t count, double* loss);
  /* [F,F] 2·Σ a aᵀ / S over all S positions of the calibration data, a = silu(gate)·up of a layer of the model as it
   * is: f32, symmetric, valid until the next call of a function of this struct. Errors unless FEED_FORWARD_HESSIAN was
   * asked for. All layers in ascending order take one pass over the data; a layer before the one of the last call
   * begins anew. */
  retort_error* (*feed_forward_hessian)(void* context, int64_t layer, const retort_tensor** out);
} retort_prune_model;

/* Takes the plan. `weight`, which is optional to call, gives a matrix new values, so that what stays makes up for what
 * goes: by its Hugging Face name, f32 in the shape that it has before the cut, finite; copied. Values of what goes are
 * cut away with it. evaluate() knows nothing of them. */
typedef struct retort_prune_plan_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  void (*keep)(void* context, const retort_prune_keep* keep);
  void (*weight)(void* context, retort_string name, const retort_tensor* values);
} retort_prune_plan_sink;

typedef struct retort_pruner_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_prune_requirements* out); /* [any-thread] */
  /* Polls should_stop(). [one-at-a-time per instance] */
  retort_error* (*plan)(retort_instance* instance, const retort_prune_structure* structure,
                        const retort_prune_signals* signals, const retort_prune_model* model,
                        const retort_prune_plan_sink* plan, const retort_metric_sink* metrics);
} retort_pruner_v1;

#define RETORT_PRUNER_V1_SIZE 24u

#ifdef __cplusplus
}
#endif
#endif
