/* retort.distill/1: a distillation loss. N rows (valid positions), V vocabulary, D hidden, k kept teacher entries, A
 * teachers, Lh declared layers, P trained parameters. */
#ifndef RETORT_ABI_DISTILL_H
#define RETORT_ABI_DISTILL_H

#include "base.h"
#include "plugin.h"
#include "signals.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_DISTILL_INTERFACE "retort.distill/1"

/* Of a model that takes part. */
typedef struct retort_model_shape {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t layers, hidden, vocabulary;
} retort_model_shape;

/* What a run is about, known before its first batch. */
typedef struct retort_distill_setup {
  uint32_t struct_size;
  uint32_t teacher_count; /* A */
  const retort_model_shape* student;
  const retort_model_shape* teachers; /* [A], struct_size bytes apart */
  int64_t total_steps;
  uint64_t seed;
} retort_distill_setup;

/* A tensor that the loss trains beside the student: a projection, a temperature. f32. */
typedef struct retort_trained_parameter {
  uint32_t struct_size;
  int32_t dimensions; /* 0 to 4 */
  retort_string name; /* unique in the loss; names the group "loss.<name>" in checkpoints and metrics */
  const int64_t* shape;
} retort_trained_parameter;

#define RETORT_DISTILL_WHOLE_SEQUENCES 1u  /* a call holds every row of each sequence that it holds one of */
#define RETORT_DISTILL_SEVERAL_TEACHERS 2u /* uses every teacher, by its weight; without it there is exactly one */
#define RETORT_DISTILL_STOPPED_GRADIENT \
  4u /* parts of the loss are constants to its gradient (stop-gradient), which is */
     /* then not the value's derivative, but still leads downwards */

/* Filled by requirements(); pointers live until the next call of it or destroy(). */
typedef struct retort_distill_requirements {
  uint32_t struct_size;
  uint32_t flags;            /* RETORT_DISTILL_… */
  uint64_t signals;          /* TEACHER_LOGITS, TEACHER_TOP_K, HIDDEN_STATES, LABELS, TEACHER_SPANS */
  int64_t top_k;             /* k, with RETORT_SIGNAL_TEACHER_TOP_K */
  double on_policy_fraction; /* share of batches that the student samples, in [0,1] */
  /* With RETORT_SIGNAL_HIDDEN_STATES: pairs of layers to compare, student's and teacher's. l ≥ 0: the output of layer
   * l; -1: after the final norm; -1-j: the output of layer L-j (-2: the last layer's, before the final norm). */
  int64_t layer_count; /* Lh */
  const int64_t* student_layers;
  const int64_t* teacher_layers;              /* of every teacher */
  uint64_t parameter_count;                   /* P */
  const retort_trained_parameter* parameters; /* struct_size bytes apart */
} retort_distill_requirements;

/* What one teacher says about the rows. Tensors that were not asked for are NULL. */
typedef struct retort_distill_teacher {
  uint32_t struct_size;
  uint32_t reserved;
  double weight;                      /* of this teacher; all sum to 1 */
  const retort_tensor* logits;        /* [N,V_teacher]; with TEACHER_SPANS [N_teacher,V_teacher] */
  const retort_tensor* top_ids;       /* [N,k] int64, most likely first */
  const retort_tensor* top_log_probs; /* [N,k] log-probabilities under the full teacher distribution */
  const retort_tensor* tail_mass;     /* [N] probability outside the k: 1 - Σ exp(top_log_probs), at least 0 */
  const retort_tensor* const* hidden; /* [Lh] tensors [N,D_teacher], in the order of teacher_layers */
  const retort_tensor* labels;        /* [N_teacher] int64, with TEACHER_SPANS: the tokens of the teacher's tokenizer */
  /* [M,4] int64, with TEACHER_SPANS: first student row, student rows, first teacher row, teacher rows of the M pieces
   * of text whose ends both tokenizers share. */
  const retort_tensor* spans;
} retort_distill_teacher;

/* Tensors that were not asked for are NULL. All in host memory, f32 unless said otherwise. The host may pass any subset
 * of the rows of a step in any number of calls (whole sequences where that was asked for), so a loss must be a sum over
 * rows, or over sequences. */
typedef struct retort_distill_batch {
  uint32_t struct_size;
  uint32_t on_policy;                         /* 1: the student sampled these sequences */
  const retort_tensor* student_logits;        /* [N,V] */
  const retort_tensor* const* student_hidden; /* [Lh] tensors [N,D_student], in the order of student_layers */
  const retort_distill_teacher* teachers;     /* [A], struct_size bytes apart */
  uint64_t teacher_count;
  const retort_tensor* labels;            /* [N] int64, the token that follows */
  const retort_tensor* mask;              /* [N] weight of each row; 0 leaves it out */
  const retort_tensor* sequences;         /* [N] int64: which sequence of the step a row is of; ascending */
  const retort_tensor* positions;         /* [N] int64: how many of its sequence's masked rows come before it */
  const retort_tensor* lengths;           /* [N] int64: rows of its sequence, in the whole step */
  const retort_tensor* const* parameters; /* [P] the trained parameters' present values */
  int64_t step;                           /* from 0 */
  int64_t total_steps;
  double step_weight;     /* Σ mask over all rows of the step: what the host divides the sum by */
  int64_t step_sequences; /* sequences of the whole step */
} retort_distill_batch;

/* Where the results of loss() go; allocated by the host, filled with NaN: what is left unwritten is an error. */
typedef struct retort_distill_result {
  uint32_t struct_size;
  uint32_t reserved;
  double loss;                          /* Σ_rows mask·loss_row */
  const retort_tensor* logits_gradient; /* [N,V] d loss / d student_logits, writable; NULL: only the value is wanted */
  const retort_tensor* const*
      hidden_gradients; /* [Lh] tensors [N,D_student]; NULL likewise, or without hidden states */
  const retort_tensor* const* parameter_gradients; /* [P]; NULL likewise, or without parameters */
  const retort_metric_sink* metrics;               /* sums over rows too; may be NULL */
} retort_distill_result;

typedef struct retort_distill_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* `setup` is NULL before the models are known (`retort check`): layers and parameters may then be left out, signals
   * and flags not. `out->struct_size` is set by the caller. [one-at-a-time per instance] */
  retort_error* (*requirements)(retort_instance* instance, const retort_distill_setup* setup,
                                retort_distill_requirements* out);
  /* Writes the initial values of trained parameter `index`: from the setup and its seed alone, so that instances for
   * several threads agree. NULL where requirements() declares none. [one-at-a-time per instance] */
  retort_error* (*initialise)(retort_instance* instance, const retort_distill_setup* setup, uint64_t index,
                              const retort_tensor* values);
  /* The host makes one instance a thread. [one-at-a-time per instance] */
  retort_error* (*loss)(retort_instance* instance, const retort_distill_batch* batch, retort_distill_result* result);
} retort_distill_v1;

#define RETORT_DISTILL_V1_SIZE 32u

#ifdef __cplusplus
}
#endif
#endif
