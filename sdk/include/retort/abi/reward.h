/* retort.reward/1: scores responses. */
#ifndef RETORT_ABI_REWARD_H
#define RETORT_ABI_REWARD_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_REWARD_INTERFACE "retort.reward/1"

typedef struct retort_reward_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* `tools`: the OpenAI tools array that every item may call. `items`: a JSON array of {"prompt": text,
   * "response": {"calls": [call…]} or {"malformed": reason}, "reference"?: {"calls": […]},
   * "execution"?, "reference_execution"?: what environment.execute said}. Writes a JSON array of the same length and
   * order: {"score": in [0,1], or -1 for malformed, "reason": text, empty for a full score}.
   * [one-at-a-time per instance] */
  retort_error* (*score)(retort_instance* instance, retort_string tools, retort_string items,
                         const retort_text_sink* scores);
} retort_reward_v1;

#ifdef __cplusplus
}
#endif
#endif
