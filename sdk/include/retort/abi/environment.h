/* retort.environment/1: a world that tools act on: it names them, asks for things, and executes calls. */
#ifndef RETORT_ABI_ENVIRONMENT_H
#define RETORT_ABI_ENVIRONMENT_H

#include "base.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_ENVIRONMENT_INTERFACE "retort.environment/1"

/* One world with its state, several turns long. Owned by the environment, between start() and end(). */
typedef struct retort_session retort_session;

typedef struct retort_environment_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Writes the OpenAI tools array. [any-thread] */
  retort_error* (*tools)(retort_instance* instance, const retort_text_sink* tools);
  /* At most `count` distinct OpenAI chat rows of `split` ("train", "validation" or "test"), an item each from 0, with
   * the calls that answer each and metadata {"template": id}. The same arguments give the same bytes. An environment
   * that makes no rows leaves it NULL. Polls should_stop(). [any-thread] */
  retort_error* (*generate)(retort_instance* instance, retort_string split, int64_t count, uint64_t seed,
                            const retort_item_sink* rows);
  /* `start`: {"seed": integer} or {"state": what state() wrote} or {}: the initial world. A stage starts a session for
   * every answer that it has executed: starting from {} must be cheap. [any-thread] */
  retort_error* (*start)(retort_instance* instance, retort_string start, retort_session** out);
  /* `calls`: a JSON array of {"id"?, "name", "arguments"}, run in order. Writes {"ok": all of them did, "error": text
   * or null, "results": one a call, [{"id"?, "ok", "content": text for the model}], "state": text, a hash of the world
   * afterwards}. A call that cannot be run, or that is not run because one before it failed, is a result with
   * "ok": false. Text that is not JSON is the caller's fault. [one-at-a-time per session; sessions at the same time] */
  retort_error* (*execute)(retort_instance* instance, retort_session* session, retort_string calls,
                           const retort_text_sink* outcome);
  /* Writes the whole state as JSON, so that start() can go on from it; NULL: this world cannot be saved.
   * [one-at-a-time per session] */
  retort_error* (*state)(retort_instance* instance, retort_session* session, const retort_text_sink* state);
  void (*end)(retort_instance* instance, retort_session* session); /* NULL is allowed. [one-at-a-time per session] */
} retort_environment_v1;

#define RETORT_ENVIRONMENT_V1_SIZE 56u

#ifdef __cplusplus
}
#endif
#endif
