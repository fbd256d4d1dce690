/* retort.sparsifier/1: sets weights of a matrix to zero, and may change the others to make up for them. O output rows,
 * I input columns. The shapes stay; shapes that shrink are a pruner's affair. */
#ifndef RETORT_ABI_SPARSIFIER_H
#define RETORT_ABI_SPARSIFIER_H

#include "base.h"
#include "plugin.h"
#include "site.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_SPARSIFIER_INTERFACE "retort.sparsifier/1"

typedef struct retort_sparsify_requirements {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t signals; /* INPUT_… */
  int64_t samples;  /* calibration rows wanted; 0: none */
} retort_sparsify_requirements;

/* Filled with NaN and 255: every element is to be written. */
typedef struct retort_sparsify_output {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* mask;   /* [O,I] uint8: 1 stays, 0 becomes zero */
  const retort_tensor* weight; /* [O,I] f32: new values; what stands where the mask is 0 is ignored */
} retort_sparsify_output;

typedef struct retort_sparsifier_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_sparsify_requirements* out); /* [any-thread] */
  /* `site->modules[module]` is the matrix. Statistics are of the model whose earlier layers are sparse already.
   * [one-at-a-time per instance] */
  retort_error* (*sparsify)(retort_instance* instance, const retort_site* site, uint64_t module,
                            const retort_sparsify_output* output, const retort_metric_sink* metrics);
} retort_sparsifier_v1;

#define RETORT_SPARSIFIER_V1_SIZE 24u

#ifdef __cplusplus
}
#endif
#endif
