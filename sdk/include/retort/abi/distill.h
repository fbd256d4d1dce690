/* retort.distill/1: a distillation loss. N rows (valid positions), V vocabulary, D hidden, k kept teacher entries. */
#ifndef RETORT_ABI_DISTILL_H
#define RETORT_ABI_DISTILL_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_DISTILL_INTERFACE "retort.distill/1"

/* What the loss wants to see: bits of retort_distill_requirements.signals. */
#define RETORT_SIGNAL_TEACHER_LOGITS 1u
#define RETORT_SIGNAL_TEACHER_TOP_K 2u
#define RETORT_SIGNAL_HIDDEN_STATES 4u
#define RETORT_SIGNAL_LABELS 8u

typedef struct retort_distill_requirements {
  uint32_t struct_size;
  uint32_t signals;
  int64_t top_k;             /* k, with RETORT_SIGNAL_TEACHER_TOP_K */
  double on_policy_fraction; /* share of batches that the student samples, in [0,1] */
} retort_distill_requirements;

/* Tensors that were not asked for are NULL. All on one device, f32 unless said otherwise. The host may pass any subset
 * of the rows of a step in any number of calls, so a loss must be a sum over rows. */
typedef struct retort_distill_batch {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* student_logits;        /* [N,V] */
  const retort_tensor* teacher_logits;        /* [N,V] */
  const retort_tensor* teacher_top_ids;       /* [N,k] int64 */
  const retort_tensor* teacher_top_log_probs; /* [N,k] log-probabilities under the full teacher distribution */
  const retort_tensor* student_hidden;        /* [N,D_student] */
  const retort_tensor* teacher_hidden;        /* [N,D_teacher] */
  const retort_tensor* labels;                /* [N] int64, the token that follows */
  const retort_tensor* mask;                  /* [N] weight of each row; 0 leaves it out */
} retort_distill_batch;

typedef struct retort_distill_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* `out->struct_size` is set by the caller. [any-thread] */
  retort_error* (*requirements)(retort_instance* instance, retort_distill_requirements* out);
  /* *loss = Σ_rows mask·loss_row. `logits_gradient` [N,V] f32, writable, may be NULL (value only): receives d *loss / d
   * student_logits, every element written. `hidden_gradient` [N,D_student] likewise, NULL unless hidden states were
   * asked for. Metrics are sums over rows too. [one-at-a-time per instance] */
  retort_error* (*loss)(retort_instance* instance, const retort_distill_batch* batch, double* loss,
                        const retort_tensor* logits_gradient, const retort_tensor* hidden_gradient,
                        const retort_metric_sink* metrics);
} retort_distill_v1;

#ifdef __cplusplus
}
#endif
#endif
