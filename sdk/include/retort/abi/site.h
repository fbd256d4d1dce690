/* A site: linear modules that read the same input (q/k/v; gate/up; each of the others alone), and what calibration saw
 * of that input. Shared by quantizers and sparsifiers. O output rows, I input columns, S calibration rows. */
#ifndef RETORT_ABI_SITE_H
#define RETORT_ABI_SITE_H

#include "base.h"
#include "signals.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors that were not asked for are NULL, and all are where the component asked for no calibration. f32. Statistics
 * are sums and maxima over all S rows, whatever the batches were. */
typedef struct retort_site_statistics {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t rows;                       /* S */
  const retort_tensor* absolute_mean; /* [I] mean |x| */
  const retort_tensor* absolute_max;  /* [I] max |x| */
  const retort_tensor* square_sum;    /* [I] Σ x² */
  const retort_tensor* hessian;       /* [I,I] 2·Σ x xᵀ / S */
  const retort_tensor* samples;       /* [S',I] the first S' ≤ S rows */
} retort_site_statistics;

/* One linear module of a site, under its Hugging Face name. In an array the next lies struct_size bytes further. */
typedef struct retort_site_module {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string name; /* "model.layers.0.self_attn.q_proj" */
  const retort_tensor*
      weight;      /* [O,I] f32, of the model as it is now (pruned, smoothed); NULL where only the shape counts */
  int64_t rows;    /* O */
  int64_t columns; /* I */
} retort_site_module;

/* What the input of a site comes from, and so what can take up a factor per channel without changing the float model.
 */
#define RETORT_PRODUCER_NONE 0u  /* nothing that the host can fold into: the embedding, a head beside a tied one */
#define RETORT_PRODUCER_NORM 1u  /* an RMSNorm's weight: any factor per channel */
#define RETORT_PRODUCER_VALUE 2u /* v's rows, through attention: query heads of one kv head share their factors */
#define RETORT_PRODUCER_UP 3u    /* up's rows: any factor per channel */

typedef struct retort_site {
  uint32_t struct_size;
  uint32_t producer;  /* RETORT_PRODUCER_… */
  retort_string name; /* "model.layers.0.self_attn.qkv", "….self_attn.o", "….mlp.gate_up", "….mlp.down", "lm_head" */
  const retort_site_module* modules;
  uint64_t module_count;
  int64_t columns;       /* I */
  int64_t channel_group; /* with PRODUCER_VALUE: head_dim: channel h·head_dim + c of the query heads h of one kv
                          * head (h / shared_heads alike) get one factor; 0 otherwise */
  int64_t shared_heads;  /* with PRODUCER_VALUE: query heads a kv head, H/K; 1 otherwise */
  const retort_site_statistics* statistics; /* NULL where calibration was not asked for */
} retort_site;

#ifdef __cplusplus
}
#endif
#endif
