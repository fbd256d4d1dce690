/* One plugin, wrong in one way at a time: the build gives -DBAD_<VARIANT>. Without any it is right. */
#define _GNU_SOURCE
#include <retort/abi/reward.h>
#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}

#ifndef BAD_ABI_MAJOR
#define BAD_ABI_MAJOR RETORT_ABI_MAJOR
#endif
#ifndef BAD_ABI_MINOR
#define BAD_ABI_MINOR RETORT_ABI_MINOR
#endif
#ifndef BAD_STRUCT_SIZE
#define BAD_STRUCT_SIZE sizeof(retort_plugin_entry)
#endif
#ifndef BAD_SCHEMA
#define BAD_SCHEMA "{\"type\": \"object\"}"
#endif
#ifndef BAD_INTERFACE
#define BAD_INTERFACE RETORT_REWARD_INTERFACE
#endif
#ifndef BAD_SECOND_ID
#define BAD_SECOND_ID "reward.second"
#endif
#ifndef BAD_SLOTS
#define BAD_SLOTS NULL, 0
#endif
#ifndef BAD_STAGE
#define BAD_STAGE NULL
#endif
#ifndef BAD_TABLE_SIZE
#define BAD_TABLE_SIZE RETORT_REWARD_V1_SIZE
#endif
#ifndef BAD_SCORE
#define BAD_SCORE score
#endif
#ifndef BAD_CREATE
#define BAD_CREATE create
#endif

struct retort_instance {
  int unused;
};

static const retort_host* host;

__attribute__((constructor)) static void when_loaded(void) {
#ifdef BAD_CRASH
  fputs("about to crash\n", stderr);
  signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit instead */
  raise(SIGSEGV);
#endif
#ifdef BAD_HANG
  for (;;) pause();
#endif
#ifdef BAD_EXIT
  _exit(0);
#endif
#ifdef BAD_PRINT
  puts("{\"plugin\": \"hello from stdout\"}");
  fflush(stdout);
#endif
}

static retort_error* scores(retort_instance* instance, const retort_text_sink* names) {
  const retort_string one = TEXT("[{\"name\": \"one\", \"minimum\": 0, \"maximum\": 1, \"summary\": \"\"}]");
  (void)instance;
  names->write(names->context, one);
  return NULL;
}

__attribute__((unused)) static retort_error* score(retort_instance* instance, const retort_reward_batch* batch,
                                                   const retort_item_sink* sink) {
  (void)instance, (void)batch, (void)sink;
  return NULL;
}

static retort_error* init(const retort_host* given) {
  host = given;
#ifdef BAD_INIT
  {
    const retort_string why = TEXT("no licence for this machine");
    return host->error_new(RETORT_ERROR_RUNTIME, why);
  }
#endif
  return NULL;
}

static void shutdown_plugin(void) {
  const char* path = getenv("RETORT_TEST_SHUTDOWN_FILE");
  FILE* file = path != NULL ? fopen(path, "a") : NULL;
  const char* fault = getenv("RETORT_TEST_SHUTDOWN");
  if (fault != NULL && strcmp(fault, "hang") == 0)
    for (;;) pause();
  if (fault != NULL && strcmp(fault, "crash") == 0) raise(SIGSEGV);
  if (file == NULL) return;
  fputs(BAD_ID "\n", file);
  fclose(file);
}

/* What variants give as their slots. */
__attribute__((unused)) static const retort_slot slots_of_one_name[] = {
    {sizeof(retort_slot), 0, TEXT("judge"), TEXT(RETORT_TEACHER_INTERFACE), TEXT("one")},
    {sizeof(retort_slot), 0, TEXT("judge"), TEXT(RETORT_TEACHER_INTERFACE), TEXT("two")}};
__attribute__((unused)) static const retort_slot slot_called_use = {sizeof(retort_slot), 0, TEXT("use"),
                                                                    TEXT(RETORT_TEACHER_INTERFACE), TEXT("one")};
__attribute__((unused)) static const retort_slot slot_like_a_parameter = {sizeof(retort_slot), 0, TEXT("scale"),
                                                                          TEXT(RETORT_TEACHER_INTERFACE), TEXT("one")};
__attribute__((unused)) static const retort_slot slot_of_nothing = {sizeof(retort_slot), 0, TEXT("judge"),
                                                                    TEXT("retort.judge/1"), TEXT("one")};
__attribute__((unused)) static const retort_slot short_slot = {16, 0, TEXT("judge"), TEXT(RETORT_TEACHER_INTERFACE),
                                                               TEXT("one")};
__attribute__((unused)) static const retort_stage_description stage_of_a_reward = {sizeof(retort_stage_description), 0,
                                                                                   NULL, TEXT("model")};

static uint32_t component_count(void) {
  return 2;
}

static const retort_component* component(uint32_t index) {
  static const retort_component all[] = {
      {sizeof(retort_component), 0, TEXT(BAD_ID), TEXT(BAD_INTERFACE), TEXT("1.0.0"), TEXT("for tests"),
       TEXT(BAD_SCHEMA), BAD_SLOTS, BAD_STAGE},
      {sizeof(retort_component), 0, TEXT(BAD_SECOND_ID), TEXT(RETORT_REWARD_INTERFACE), TEXT("1.0.0"),
       TEXT("for tests"), TEXT("{\"type\": \"object\"}"), NULL, 0, NULL}};
  return index < 2 ? &all[index] : NULL;
}

/* Left out by one variant. */
__attribute__((unused)) static retort_error* create(const retort_create_arguments* arguments, retort_instance** out) {
  if (arguments->index > 1) {
    const retort_string why = TEXT("there are two components");
    return host->error_new(RETORT_ERROR_INVALID_ARGUMENT, why);
  }
#ifdef BAD_CREATE_ERROR
  {
    const retort_string why = TEXT("the device is busy");
    return host->error_new(RETORT_ERROR_RUNTIME, why);
  }
#endif
#ifdef BAD_CREATE_NOTHING
  (void)out;
#else
  *out = malloc(sizeof **out);
#endif
  return NULL;
}

static void destroy(retort_instance* instance) {
  free(instance);
}

static const void* get_interface(retort_instance* instance, retort_string id) {
  static const retort_reward_v1 table = {BAD_TABLE_SIZE, 0, scores, BAD_SCORE};
  (void)instance;
#ifdef BAD_NO_TABLE
  (void)id, (void)table;
  return NULL;
#else
  return id.size == strlen(RETORT_REWARD_INTERFACE) && memcmp(id.data, RETORT_REWARD_INTERFACE, id.size) == 0 ? &table
                                                                                                              : NULL;
#endif
}

#ifdef BAD_SYMBOL
#define retort_plugin_entry_v1 another_symbol
RETORT_EXPORT extern const retort_plugin_entry another_symbol;
#endif
RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 = {
    BAD_STRUCT_SIZE, BAD_ABI_MAJOR,   BAD_ABI_MINOR, 0,          TEXT("bad"), TEXT("0.1.0"), TEXT("Apache-2.0"), init,
    shutdown_plugin, component_count, component,     BAD_CREATE, destroy,     get_interface};
