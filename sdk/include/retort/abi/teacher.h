/* retort.teacher/1: answers chat requests. */
#ifndef RETORT_ABI_TEACHER_H
#define RETORT_ABI_TEACHER_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_TEACHER_INTERFACE "retort.teacher/1"

/* What all requests of a call share crosses once. */
typedef struct retort_teacher_batch {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string tools; /* OpenAI `tools` array of every request that has no "tools" of its own; empty: none */
  retort_string
      requests; /* JSON array of
{"messages": [OpenAI messages of any role], "tools"?: its own, "tool_choice"?, "response_format"?, "n"? (1),
"temperature"?, "top_p"?, "max_tokens"?, "seed"?, "top_logprobs"?,
"sample"?: number of an independent sample of the same request (0): a teacher that keeps answers keeps one for each,
"recorded"?: the assistant message that a trace holds}
as {"messages": [{"role": "user", "content": "turn on the light"}], "n": 2, "temperature": 0.8} */
} retort_teacher_batch;

typedef struct retort_teacher_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* One item a request, each as soon as it is known:
   *   {"choices": [{"message": {"role": "assistant", "content", "tool_calls"?, "refusal"?: why there is no answer},
   *                 "finish_reason": "stop" | "tool_calls" | "length" | "content_filter", "logprobs"?: […]}],
   *    "usage"?: {"prompt_tokens", "completion_tokens"},
   *    "cost"?: {"requests": sent for it, those that failed included, "input_tokens", "output_tokens", "usd",
   *              "cached": whether the answer was kept from earlier, which costs nothing}}
   * or {"error": reason, "cost"?} for a request that failed or cannot be parsed: the others go on. How many run at once
   * is the plugin's affair. An error is returned only when the whole batch failed or was stopped; items given before it
   * count. Texts that are no JSON array: INVALID_ARGUMENT. Polls should_stop(). [one-at-a-time per instance] */
  retort_error* (*complete)(retort_instance* instance, const retort_teacher_batch* batch,
                            const retort_item_sink* responses);
  /* Log-probabilities of given continuations: requests are {"messages", "tools"?, "continuation": text}, or, for a
   * teacher that takes its tokens as they are, {"prompt_tokens": [ids], "continuation_tokens": [ids], "top_logprobs"?:
   * k}; a teacher that takes only one of the two refuses the other's requests, each as an item. An item is
   * {"logprobs": [of the teacher's tokens], "sum", "tokens"?: where top_logprobs asks for it, [{"token"?: text,
   * "bytes"?, "id"?, "logprob", "top_logprobs": [the same of the k likeliest]}], "usage"?, "cost"?} or {"error":
   * reason}. NULL: this teacher cannot. [one-at-a-time per instance] */
  retort_error* (*score)(retort_instance* instance, const retort_teacher_batch* batch, const retort_item_sink* scores);
} retort_teacher_v1;

#define RETORT_TEACHER_V1_SIZE 24u

#ifdef __cplusplus
}
#endif
#endif
