/* retort.host.secrets/1: keys and tokens that no config, record, log or report may hold. A parameter of
 * "format": "secret-env" is the NAME of an environment variable; this gives the value. From retort_host.get_extension.
 */
#ifndef RETORT_ABI_HOST_SECRETS_H
#define RETORT_ABI_HOST_SECRETS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_HOST_SECRETS_EXTENSION "retort.host.secrets/1"

typedef struct retort_host_secrets_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Writes the value of the environment variable `name`. The error names the variable, never a value: not set, empty,
   * or not named by any parameter of format secret-env of this run. The host replaces values that it gave out by
   * "***" in all that it logs and records. [any-thread] */
  retort_error* (*get)(retort_string name, const retort_text_sink* value);
} retort_host_secrets_v1;

#define RETORT_HOST_SECRETS_V1_SIZE 16u

#ifdef __cplusplus
}
#endif
#endif
