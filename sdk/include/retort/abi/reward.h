/* retort.reward/1: scores answers. */
#ifndef RETORT_ABI_REWARD_H
#define RETORT_ABI_REWARD_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_REWARD_INTERFACE "retort.reward/1"

/* What all items of a call share crosses once. */
typedef struct retort_reward_batch {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string tools; /* OpenAI `tools` array of every item that has no "tools" of its own */
  retort_string items; /* JSON array of
    {"messages": [the conversation up to the answer], "tools"?, "text": the raw answer,
     "response": {"calls": [call…]} or {"malformed": reason}, "reference"?: {"calls": […]},
     "execution"?: {"ok", "error", "results", "state"}, "reference_execution"?: what the environment said}.
    Of a rollout of several turns "messages" end before its last answer and hold tools' results; "calls" are those of
    all its turns, and "execution" is of them all in one session. Invalid UTF-8 that a model wrote stands as U+FFFD. */
} retort_reward_batch;

typedef struct retort_reward_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Writes [{"name": "correct", "minimum": 0, "maximum": 1, "summary": text}, …]: the scores of every item, the first
   * being the one that counts where only one does. The same for an instance's life. Bounds may be null. [any-thread] */
  retort_error* (*scores)(retort_instance* instance, const retort_text_sink* names);
  /* One item each: {"scores": {name: number in its bounds, for every name}, "reason": text, empty for a full score}, or
   * {"malformed": true, "scores": {…}, "reason"} for an answer that is no answer, or {"error": reason} for an item that
   * this reward cannot score or parse. Texts that are no JSON array: INVALID_ARGUMENT. [one-at-a-time per instance] */
  retort_error* (*score)(retort_instance* instance, const retort_reward_batch* batch, const retort_item_sink* scores);
} retort_reward_v1;

#define RETORT_REWARD_V1_SIZE 24u

#ifdef __cplusplus
}
#endif
#endif
