/* retort.quantizer/1: turns one weight matrix into codes. O output rows, I input columns, S calibration rows,
 * Q groups = I / group_size (1 when group_size is 0). */
#ifndef RETORT_ABI_QUANTIZER_H
#define RETORT_ABI_QUANTIZER_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_QUANTIZER_INTERFACE "retort.quantizer/1"

#define RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN 1u /* [I] mean |x| of every input channel */
#define RETORT_SIGNAL_INPUT_ABSOLUTE_MAX 2u  /* [I] max |x| */
#define RETORT_SIGNAL_INPUT_HESSIAN 4u       /* [I,I] 2·Σ x xᵀ / S */
#define RETORT_SIGNAL_INPUT_SAMPLES 8u       /* [S,I] inputs themselves */

typedef struct retort_quantize_requirements {
  uint32_t struct_size;
  uint32_t signals;
  int64_t samples;    /* S, calibration rows wanted; 0: none */
  int32_t bits;       /* 2 to 8 */
  int32_t symmetric;  /* 1: zero points are all 0 */
  int64_t group_size; /* input columns that share a scale; 0: the whole row */
} retort_quantize_requirements;

typedef struct retort_quantize_input {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string module;                     /* "model.layers.0.mlp.up_proj" */
  const retort_tensor* weight;              /* [O,I] f32 */
  const retort_tensor* input_absolute_mean; /* signals that were not asked for are NULL */
  const retort_tensor* input_absolute_max;
  const retort_tensor* input_hessian;
  const retort_tensor* input_samples;
} retort_quantize_input;

/* Allocated by the host, every element written by the quantizer: w ≈ scale · (code − zero_point). */
typedef struct retort_quantize_output {
  uint32_t struct_size;
  uint32_t reserved;
  const retort_tensor* codes;  /* [O,I] int8; symmetric codes are signed, asymmetric ones 0 … 2^bits − 1 as uint8 */
  const retort_tensor* scales; /* [O,Q] f32, positive */
  const retort_tensor* zero_points; /* [O,Q] int32, or NULL when symmetric */
  const retort_tensor* smoothing;   /* [I] f32: inputs are divided by it, weights multiplied; 1 = off; may be NULL */
} retort_quantize_output;

typedef struct retort_quantizer_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_quantize_requirements* out); /* [any-thread] */
  /* [one-at-a-time per instance] */
  retort_error* (*quantize)(retort_instance* instance, const retort_quantize_input* input,
                            const retort_quantize_output* output, const retort_metric_sink* metrics);
} retort_quantizer_v1;

#ifdef __cplusplus
}
#endif
#endif
