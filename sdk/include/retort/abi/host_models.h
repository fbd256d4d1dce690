/* retort.host.models/1: a model on the host's oneDNN runtime, for teachers, judges and search: what a plugin would
 * otherwise need a library of its own for. From retort_host.get_extension. */
#ifndef RETORT_ABI_HOST_MODELS_H
#define RETORT_ABI_HOST_MODELS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_HOST_MODELS_EXTENSION "retort.host.models/1"

/* An open model. Owned by whoever opened it. */
typedef struct retort_model retort_model;

typedef struct retort_model_options {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string folder; /* a model artifact or any Hugging Face folder that the runtime reads */
  int64_t threads;      /* 0: the host's choice */
  int64_t sequences;    /* decoded together, 1 to 64; 0: the host's choice */
} retort_model_options;

typedef struct retort_host_models_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Reads weights and tokenizer; the error names what is missing. [any-thread] */
  retort_error* (*open)(const retort_model_options* options, retort_model** out);
  void (*close)(retort_model* model); /* NULL is allowed. [one-at-a-time per model] */
  /* {"architecture", "parameters", "layers", "hidden_size", "vocabulary", "tokenizer": sha256, "context": tokens,
   * "prompt": "functional_tokens" | "json" | "chat_template" | "text"}. [any-thread] */
  retort_error* (*describe)(retort_model* model, const retort_text_sink* json);
  /* `requests`: a JSON array of {"messages": [OpenAI messages] or "prompt": text, "tools"?, "n"? (1), "temperature"?
   * (0: greedy), "top_k"?, "top_p"?, "seed"?, "max_tokens"?, "stop"?: [text], "top_logprobs"?: 0 to 20, "grammar"?:
   * "calls" restricts the answer to calls of the tools}. Each item: {"choices": [{"text", "token_ids",
   * "finish_reason": "stop" | "length", "message"?: {"role", "content", "tool_calls"?}, "malformed"?: reason,
   * "logprobs"?: [{"id", "logprob", "top": [[id, logprob]…]}]}], "usage": {"prompt_tokens", "completion_tokens"}} or
   * {"error": reason}. Polls should_stop(). A key that this host does not know is an error of that item, never
   * ignored. [one-at-a-time per model] */
  retort_error* (*complete)(retort_model* model, retort_string requests, const retort_item_sink* items);
  /* `requests`: a JSON array of {"messages" or "prompt", "tools"?, "continuation": text or "continuation_ids": [id]}.
   * Each item: {"logprobs": [of every token], "ids": […], "sum"} or {"error": reason}. [one-at-a-time per model] */
  retort_error* (*score)(retort_model* model, retort_string requests, const retort_item_sink* items);
} retort_host_models_v1;

#define RETORT_HOST_MODELS_V1_SIZE 48u

#ifdef __cplusplus
}
#endif
#endif
