/* A plugin of another time than the host: EVOLVED=1 was built with later headers, in which every struct has one more
 * field; EVOLVED=0 with earlier ones, in which a component had no parameter schema yet. Structs are spelt out here so
 * that they do not move with the SDK. */
#include <retort/abi/reward.h>
#include <retort/abi/stage.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}

struct retort_instance {
  int unused;
};

#if EVOLVED
typedef struct later_entry {
  retort_plugin_entry base;
  void (*later)(void);
} later_entry;
typedef struct later_component {
  retort_component base;
  uint64_t later;
} later_component;
typedef struct later_table {
  retort_reward_v1 base;
  void (*later)(void);
} later_table;
typedef struct later_input {
  retort_stage_input base;
  retort_string later;
} later_input;
typedef struct later_slot {
  retort_slot base;
  uint64_t later;
} later_slot;
typedef struct later_description {
  retort_stage_description base;
  uint64_t later;
} later_description;
#else
typedef struct earlier_component {
  uint32_t struct_size;
  uint32_t reserved;
  retort_string id;
  retort_string interface;
  retort_string version;
  retort_string summary;
} earlier_component;
#endif

static const retort_host* host;

static retort_error* scores(retort_instance* instance, const retort_text_sink* names) {
  const retort_string text = TEXT("[{\"name\": \"one\", \"minimum\": 0, \"maximum\": 1, \"summary\": \"\"}]");
  (void)instance;
  names->write(names->context, text);
  return NULL;
}

static retort_error* score(retort_instance* instance, const retort_reward_batch* batch, const retort_item_sink* sink) {
  const retort_string item = TEXT("{\"scores\": {\"one\": 1}, \"reason\": \"\"}");
  (void)instance, (void)batch;
  sink->item(sink->context, 0, item);
  return NULL;
}

static retort_error* init(const retort_host* given) {
  host = given;
  return NULL;
}

static uint32_t component_count(void) {
  return EVOLVED ? 2 : 1;
}

static const retort_component* component(uint32_t index) {
#if EVOLVED
  static const later_slot slots[] = {
      {{sizeof(later_slot), RETORT_SLOT_OPTIONAL, TEXT("first"), TEXT(RETORT_REWARD_INTERFACE), TEXT("one")}, 9},
      {{sizeof(later_slot), RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST, TEXT("second"), TEXT(RETORT_REWARD_INTERFACE),
        TEXT("two")},
       9}};
  static const later_input inputs[] = {
      {{sizeof(later_input), 0, TEXT("first"), TEXT("dataset"), TEXT("one")}, TEXT("?")},
      {{sizeof(later_input), RETORT_INPUT_OPTIONAL, TEXT("second"), TEXT("model"), TEXT("two")}, TEXT("?")}};
  static const later_description shape = {{sizeof(later_description), 2, &inputs[0].base, TEXT("report")}, 5};
  static const later_component all[] = {
      {{sizeof(later_component), 0, TEXT("reward.later"), TEXT(RETORT_REWARD_INTERFACE), TEXT("1.0.0"), TEXT("later"),
        TEXT("{\"type\": \"object\"}"), &slots[0].base, 2, NULL},
       7},
      {{sizeof(later_component), 0, TEXT("stage.later"), TEXT(RETORT_STAGE_INTERFACE), TEXT("1.0.0"), TEXT("later"),
        TEXT("{\"type\": \"object\"}"), NULL, 0, &shape.base},
       7}};
  return index < 2 ? &all[index].base : NULL;
#else
  static const earlier_component all[] = {{sizeof(earlier_component), 0, TEXT("reward.earlier"),
                                           TEXT(RETORT_REWARD_INTERFACE), TEXT("1.0.0"), TEXT("earlier")}};
  return index < 1 ? (const retort_component*)(const void*)&all[index] : NULL;
#endif
}

static retort_error* create(const retort_create_arguments* arguments, retort_instance** out) {
  (void)arguments;
  *out = malloc(sizeof **out);
  return NULL;
}

static void destroy(retort_instance* instance) {
  free(instance);
}

static int is(retort_string id, const char* name) {
  return id.size == strlen(name) && memcmp(id.data, name, id.size) == 0;
}

#if EVOLVED
static void later(void) {}

static retort_error* run(retort_instance* instance, const retort_stage_context* context) {
  (void)instance, (void)context;
  return NULL;
}
#endif

static const void* get_interface(retort_instance* instance, retort_string id) {
#if EVOLVED
  static const later_table table = {{sizeof(later_table), 0, scores, score}, later};
  static const retort_stage_v1 stage = {RETORT_STAGE_V1_SIZE, 0, NULL, run};
  if (is(id, RETORT_STAGE_INTERFACE)) return &stage;
#else
  static const retort_reward_v1 table = {RETORT_REWARD_V1_SIZE, 0, scores, score};
#endif
  (void)instance;
  return is(id, RETORT_REWARD_INTERFACE) ? &table : NULL;
}

#if EVOLVED
/* The exported object is longer than the declaration that this host reads it through. */
#define retort_plugin_entry_v1 renamed
extern RETORT_EXPORT const later_entry later_entry_v1 __asm__("retort_plugin_entry_v1");
RETORT_EXPORT const later_entry later_entry_v1 = {
    {sizeof(later_entry), 1, 0, 0, TEXT("later"), TEXT("1.0.0"), TEXT("Apache-2.0"), init, NULL, component_count,
     component, create, destroy, get_interface},
    later};
#else
RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 = {sizeof(retort_plugin_entry),
                                                                  1,
                                                                  0,
                                                                  0,
                                                                  TEXT("earlier"),
                                                                  TEXT("1.0.0"),
                                                                  TEXT("Apache-2.0"),
                                                                  init,
                                                                  NULL,
                                                                  component_count,
                                                                  component,
                                                                  create,
                                                                  destroy,
                                                                  get_interface};
#endif
