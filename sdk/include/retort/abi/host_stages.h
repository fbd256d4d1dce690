/* retort.host.stages/1: what search is made of: a slot's component again with other parameters, another stage on given
 * artifacts. From retort_stage_context.get_extension; valid until the stage's run() (or check()) returns. */
#ifndef RETORT_ABI_HOST_STAGES_H
#define RETORT_ABI_HOST_STAGES_H

#include "base.h"
#include "plugin.h"
#include "stage.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_HOST_STAGES_EXTENSION "retort.host.stages/1"

typedef struct retort_host_stages_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Another instance of component `index` of `slot`. `parameters`: a JSON object that replaces the config's values of
   * the same keys (nested slots included); "{}" gives the same again, for another thread. Validated as a config is: the
   * error lists every finding with its pointer. The host owns what it points to, until destroy() or the end of the
   * stage. [any-thread] */
  retort_error* (*create)(const retort_stage_context* context, retort_string slot, uint64_t index,
                          retort_string parameters, const retort_bound_component** out);
  void (*destroy)(const retort_stage_context* context, const retort_bound_component* component); /* [any-thread] */
  /* Runs a stage inside this one. `stage`: {"name", "use", its slots and parameters as in a config, "inputs": {name:
   * folder of an artifact or [folders]}}. Writes the folder of the artifact that it made, or of an earlier one of the
   * same key. [the thread of run()] */
  retort_error* (*run)(const retort_stage_context* context, retort_string stage, const retort_text_sink* folder);
} retort_host_stages_v1;

#define RETORT_HOST_STAGES_V1_SIZE 32u

#ifdef __cplusplus
}
#endif
#endif
