/* retort.teacher/1: answers chat requests. */
#ifndef RETORT_ABI_TEACHER_H
#define RETORT_ABI_TEACHER_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_TEACHER_INTERFACE "retort.teacher/1"

typedef struct retort_teacher_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* `requests`: a JSON array of OpenAI chat requests {"messages": […], "tools": […], "n"?, "temperature"?, "seed"?,
   * "top_logprobs"?, "recorded"?: the assistant message that a trace holds}. Writes a JSON array of the same length
   * and order: {"message": {"role": "assistant", "content", "tool_calls"?, "refusal"?: why there is no answer},
   * "usage"?: {…}, "logprobs"?: {…}} or {"error": reason} for a request that failed. An error is returned only when the
   * whole batch failed. [one-at-a-time per instance] */
  retort_error* (*complete)(retort_instance* instance, retort_string requests, const retort_text_sink* responses);
} retort_teacher_v1;

#ifdef __cplusplus
}
#endif
#endif
