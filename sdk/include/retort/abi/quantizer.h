/* retort.quantizer/1: turns weight matrices into codes. O output rows, I input columns, Q groups of a row = I /
 * group_size (1 when group_size is 0). The host goes through the model site by site: scheme, smooth, then quantize for
 * every module of the site. */
#ifndef RETORT_ABI_QUANTIZER_H
#define RETORT_ABI_QUANTIZER_H

#include "base.h"
#include "plugin.h"
#include "site.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_QUANTIZER_INTERFACE "retort.quantizer/1"

typedef struct retort_quantize_requirements {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t signals; /* INPUT_… */
  int64_t samples;  /* calibration rows wanted; 0: none */
} retort_quantize_requirements;

/* How the modules of one site are stored. */
typedef struct retort_quantize_scheme {
  uint32_t struct_size;
  int32_t bits;      /* 2 to 8; 0: leave the site in floating point */
  int32_t symmetric; /* 1: no zero points */
  int32_t reserved;
  int64_t group_size; /* input columns that share a scale; 0: the whole row */
} retort_quantize_scheme;

/* Allocated by the host, every element written by the quantizer (scales are filled with NaN): w ≈ scale · (code -
 * zero_point). */
typedef struct retort_quantize_output {
  uint32_t struct_size;
  uint32_t reserved;
  /* [O,I]: symmetric codes are int8 in [-2^(bits-1), 2^(bits-1)-1], asymmetric ones uint8 in [0, 2^bits-1]. */
  const retort_tensor* codes;
  const retort_tensor* scales;      /* [O,Q] f32, finite and not 0; negative ones turn a signed range around */
  const retort_tensor* zero_points; /* [O,Q] int32 in the codes' range; NULL when symmetric */
} retort_quantize_output;

typedef struct retort_quantizer_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  retort_error* (*requirements)(retort_instance* instance, retort_quantize_requirements* out); /* [any-thread] */
  /* One answer for all modules of the site, since the runtime joins q/k/v and gate/up. Asked of every site, without
   * weights and statistics, before any work, so that what the model's format cannot hold is refused at once. The same
   * site gets the same answer. [one-at-a-time per instance] */
  retort_error* (*scheme)(retort_instance* instance, const retort_site* site, retort_quantize_scheme* out);
  /* Writes `factors` [I] f32, positive: the host divides the site's input by them (folding that into what produces it)
   * and multiplies the columns of its weights; the float model's output stays. Not asked of sites whose producer is
   * RETORT_PRODUCER_NONE. NULL: no smoothing. [one-at-a-time per instance] */
  retort_error* (*smooth)(retort_instance* instance, const retort_site* site, const retort_tensor* factors,
                          const retort_metric_sink* metrics);
  /* `site->modules[module]`, smoothed, into codes. [one-at-a-time per instance] */
  retort_error* (*quantize)(retort_instance* instance, const retort_site* site, uint64_t module,
                            const retort_quantize_scheme* scheme, const retort_quantize_output* output,
                            const retort_metric_sink* metrics);
} retort_quantizer_v1;

#define RETORT_QUANTIZER_V1_SIZE 40u

#ifdef __cplusplus
}
#endif
#endif
