/* retort.stage/1: one step of a run: reads artifacts, writes one artifact. */
#ifndef RETORT_ABI_STAGE_H
#define RETORT_ABI_STAGE_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_STAGE_INTERFACE "retort.stage/1"

/* One named input. */
#define RETORT_INPUT_OPTIONAL 1u
#define RETORT_INPUT_LIST 2u /* the config may name several stages */
typedef struct retort_stage_input {
  uint32_t struct_size;
  uint32_t flags;
  retort_string name;    /* key in the config's "inputs" */
  retort_string kind;    /* "dataset", "model", "signals" or "report" */
  retort_string summary; /* one line */
} retort_stage_input;

/* One component that the config names under `name`. */
#define RETORT_SLOT_OPTIONAL 1u
typedef struct retort_stage_slot {
  uint32_t struct_size;
  uint32_t flags;
  retort_string name;      /* key in the stage's config */
  retort_string interface; /* "retort.rl/1" */
  retort_string summary;
} retort_stage_slot;

/* Filled by describe(); pointers live as long as the plugin. */
typedef struct retort_stage_description {
  uint32_t struct_size;
  uint32_t input_count;
  uint32_t slot_count;
  uint32_t reserved;
  const retort_stage_input* inputs;
  const retort_stage_slot* slots;
  retort_string produces; /* kind of the artifact */
} retort_stage_description;

/* A component that the host made for a slot. Owned by the host, alive until run() returns. */
typedef struct retort_stage_component {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string id; /* "rl.grpo" */
  retort_instance* instance;
  const void* functions; /* const retort_rl_v1* for "retort.rl/1", and so on */
} retort_stage_component;

/* What run() works with. Functions: [the thread that run() is called on], `context` is their first argument. Strings
 * returned live until run() returns. */
typedef struct retort_stage_context {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  retort_string name;          /* of the stage in the config */
  retort_string output_folder; /* empty; becomes the artifact when run() succeeds, is removed when it fails */
  retort_string work_folder;   /* survives a killed run and comes back for the same stage key: checkpoints */
  uint64_t seed;
  int64_t threads;
  /* Number of artifacts given for an input; 0 where it was left out. */
  uint64_t (*input_count)(void* context, retort_string input);
  retort_string (*input_folder)(void* context, retort_string input, uint64_t index);
  retort_string (*input_name)(void* context, retort_string input, uint64_t index); /* of the stage that made it */
  /* NULL for an optional slot that the config left out. */
  const retort_stage_component* (*component)(void* context, retort_string slot);
  /* A line of metrics.jsonl; `step` is -1 for a figure of the stage as a whole. */
  void (*metric)(void* context, retort_string name, int64_t step, double value);
  /* A fact for the artifact's manifest ("metrics" object): `json` is any JSON value. */
  void (*fact)(void* context, retort_string name, retort_string json);
  /* Progress of `label`: `done` of `total` `unit`s. Cheap; call it as often as you like. */
  void (*progress)(void* context, retort_string label, int64_t done, int64_t total, retort_string unit);
} retort_stage_context;

typedef struct retort_stage_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Must not depend on the parameters. [any-thread] */
  retort_error* (*describe)(retort_instance* instance, retort_stage_description* out);
  /* Polls retort_host.should_stop() at least once a second. [one-at-a-time in the process] */
  retort_error* (*run)(retort_instance* instance, const retort_stage_context* context);
} retort_stage_v1;

#ifdef __cplusplus
}
#endif
#endif
