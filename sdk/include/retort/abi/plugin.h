/* The one symbol that a plugin exports, and what the host asks of it. */
#ifndef RETORT_ABI_PLUGIN_H
#define RETORT_ABI_PLUGIN_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_PLUGIN_ENTRY_SYMBOL "retort_plugin_entry_v1"

/* One component that the plugin offers. Strings live as long as the plugin is loaded. */
typedef struct retort_component {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string id;                /* "<interface>.<name>", as "distill.forward_kl" */
  retort_string interface;         /* "retort.distill/1" */
  retort_string version;           /* semantic version of the component; part of a stage's cache key */
  retort_string summary;           /* one line */
  retort_string parameters_schema; /* JSON Schema, the draft-07 subset that sdk/README.md lists; type object */
} retort_component;

/* One configured object. Opaque to the host. */
typedef struct retort_instance retort_instance;

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
  /* Makes an instance of components[index]; the parameters are borrowed for the call. [any-thread] */
  retort_error* (*create)(uint32_t index, const retort_parameter* parameters, uint64_t count, retort_instance** out);
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
