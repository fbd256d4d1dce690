/* retort.environment-draft/1: a world that tools act on: it names them, asks for things, and executes calls.
 * A draft: it may still change; a stable revision will have another id. */
#ifndef RETORT_ABI_ENVIRONMENT_H
#define RETORT_ABI_ENVIRONMENT_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_ENVIRONMENT_INTERFACE "retort.environment-draft/1"

typedef struct retort_environment_draft1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Writes the OpenAI tools array. [any-thread] */
  retort_error* (*tools)(retort_instance* instance, const retort_text_sink* tools);
  /* Writes at most `count` distinct OpenAI chat rows of `split` ("train", "validation" or "test"), one JSON object a
   * line, with the calls that answer each and metadata {"template": id}. The same arguments give the same bytes.
   * [any-thread] */
  retort_error* (*generate)(retort_instance* instance, retort_string split, int64_t count, uint64_t seed,
                            const retort_text_sink* rows);
  /* `batches`: a JSON array of lists of calls; each list runs from the same initial world. Writes a JSON array of
   * {"ok": boolean, "error": text or null, "state": hash of the world afterwards}. [any-thread] */
  retort_error* (*execute)(retort_instance* instance, retort_string batches, const retort_text_sink* outcomes);
} retort_environment_draft1;

#ifdef __cplusplus
}
#endif
#endif
