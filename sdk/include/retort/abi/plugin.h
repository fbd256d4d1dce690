/* The one symbol that a plugin exports, and what the host asks of it. */
#ifndef RETORT_ABI_PLUGIN_H
#define RETORT_ABI_PLUGIN_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_PLUGIN_ENTRY_SYMBOL "retort_plugin_entry_v1"

/* A place for other components: a stage's algorithm, a reward's judge. The config fills it under `name`; the host
 * creates what stands there before the component that declares the slot, and destroys it after that one. */
#define RETORT_SLOT_OPTIONAL 1u
#define RETORT_SLOT_LIST 2u /* an array in the config: several components, in order */
typedef struct retort_slot {
  uint32_t struct_size;
  uint32_t flags;
  retort_string name;      /* key in the component's config; must not be a parameter, "use", "name" or "inputs" */
  retort_string interface; /* "retort.teacher/1" */
  retort_string summary;   /* one line */
} retort_slot;

/* Only stages have one; see stage.h. */
typedef struct retort_stage_description retort_stage_description;

/* One component that the plugin offers. Everything it points to lives as long as the plugin is loaded. */
typedef struct retort_component {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string id;                /* "<interface>.<name>", as "distill.forward_kl" */
  retort_string interface;         /* "retort.distill/1" */
  retort_string version;           /* semantic version of the component; part of a stage's cache key */
  retort_string summary;           /* one line */
  retort_string parameters_schema; /* JSON Schema, the draft-07 subset that sdk/README.md lists; type object */
  const retort_slot* slots;        /* `slot_count` of them, struct_size bytes apart; NULL with 0 */
  uint64_t slot_count;
  const retort_stage_description* stage; /* what a stage reads and writes; NULL for every other interface */
} retort_component;

/* One configured object. Opaque to the host. */
typedef struct retort_instance retort_instance;

/* A component that stands in a slot. The host owns it; it outlives the instance that it was given to. */
typedef struct retort_bound_component {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string slot; /* the slot's name; a list's components follow each other in the config's order */
  retort_string id;   /* "teacher.openai" */
  retort_instance* instance;
  const void* functions; /* of the slot's interface: const retort_teacher_v1* for "retort.teacher/1", and so on */
} retort_bound_component;

/* What create() works from; all of it borrowed for the call, but the components, which outlive the instance. */
typedef struct retort_create_arguments {
  uint32_t struct_size;
  uint32_t index; /* of the component in the plugin */
  const retort_parameter* parameters;
  uint64_t parameter_count;
  /* One for every filled slot; none for a stage, which gets its components with its context, and none where the host
   * only describes or checks the parameters' schema. struct_size bytes apart. */
  const retort_bound_component* components;
  uint64_t component_count;
} retort_create_arguments;

typedef struct retort_plugin_entry {
  uint32_t struct_size;
  uint32_t abi_major; /* RETORT_ABI_MAJOR of the headers that the plugin was built with */
  uint32_t abi_minor; /* the least minor version that it needs of the host */
  uint32_t reserved;
  retort_string name;    /* of the plugin, for messages */
  retort_string version; /* of the plugin */
  retort_string license; /* SPDX expression */
  /* Called once before anything else. `host` stays valid for the process. [one-at-a-time] */
  retort_error* (*init)(const retort_host* host);
  /* Called once at the end; the library stays mapped. May be NULL. [one-at-a-time] */
  void (*shutdown)(void);
  uint32_t (*component_count)(void); /* [any-thread] */
  /* NULL when index is out of range. [any-thread] */
  const retort_component* (*component)(uint32_t index);
  /* Makes an instance. It must do without the things that its parameters name on a network: `retort check` creates
   * every component of a config. [any-thread] */
  retort_error* (*create)(const retort_create_arguments* arguments, retort_instance** out);
  void (*destroy)(retort_instance* instance); /* NULL is allowed. [one-at-a-time per instance] */
  /* The interface's function table, or NULL if the instance does not offer it. Lives as long as the plugin.
   * [any-thread] */
  const void* (*get_interface)(retort_instance* instance, retort_string interface_id);
} retort_plugin_entry;

#if defined(__GNUC__)
#define RETORT_EXPORT __attribute__((visibility("default")))
#else
#define RETORT_EXPORT
#endif

/* In exactly one source file: RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 = {…}; */
extern RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1;

#ifdef __cplusplus
}
#endif
#endif
