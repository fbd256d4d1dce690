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

/* What a stage reads and writes: retort_component.stage. The same whatever the parameters are. */
struct retort_stage_description {
  uint32_t struct_size;
  uint32_t input_count;
  const retort_stage_input* inputs; /* struct_size bytes apart */
  retort_string produces;           /* kind of the artifact */
};

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
  /* The components that the config put into a slot: 0 for an optional one that was left out, several for a list. */
  uint64_t (*component_count)(void* context, retort_string slot);
  const retort_bound_component* (*component)(void* context, retort_string slot, uint64_t index); /* NULL past the end */
  /* A line of metrics.jsonl; `step` is -1 for a figure of the stage as a whole. */
  void (*metric)(void* context, retort_string name, int64_t step, double value);
  /* A fact for the artifact's manifest ("metrics" object): `json` is any JSON value. */
  void (*fact)(void* context, retort_string name, retort_string json);
  /* Progress of `label`: `done` of `total` `unit`s. Cheap; call it as often as you like. */
  void (*progress)(void* context, retort_string label, int64_t done, int64_t total, retort_string unit);
  /* A service for this run by id, or NULL: "retort.host.stages/1" (host_stages.h). */
  const void* (*get_extension)(void* context, retort_string id);
} retort_stage_context;

typedef struct retort_stage_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Before any work, in another process than run(): asks the slots' components what they require and writes one line
   * into `findings` for each thing that this stage cannot give them: "algorithm: asks for …; this stage offers …". Of
   * the context only components, name, seed, threads, and the inputs' count and names are there: their folders are
   * empty strings. An error is a finding too. May be NULL. [one-at-a-time in the process] */
  retort_error* (*check)(retort_instance* instance, const retort_stage_context* context,
                         const retort_text_sink* findings);
  /* Polls retort_host.should_stop() at least once a second. [one-at-a-time in the process] */
  retort_error* (*run)(retort_instance* instance, const retort_stage_context* context);
} retort_stage_v1;

/* Bytes of the table above: what a component of this interface must offer, whatever later revisions append. */
#define RETORT_STAGE_V1_SIZE 24u

#ifdef __cplusplus
}
#endif
#endif
