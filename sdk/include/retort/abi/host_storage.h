/* retort.host.storage/1: folders of a run that outlive its stages, for what must never be done twice: paid answers,
 * what was spent, work handed to others. From retort_host.get_extension. */
#ifndef RETORT_ABI_HOST_STORAGE_H
#define RETORT_ABI_HOST_STORAGE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_HOST_STORAGE_EXTENSION "retort.host.storage/1"

typedef struct retort_host_storage_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Makes the folder `name` (letters, digits, "_", "-") of the run that is under way and writes its absolute path: the
   * same for all stages and for every later start of the run, whatever changed in its config. Nothing in it is part of
   * an artifact, so no result may depend on it but by sparing work. Components that share a name share the folder:
   * write files by appending whole lines, or by renaming. Writes nothing where no run is under way (a
   * component that is only checked). The error says why the folder cannot be made. [any-thread] */
  retort_error* (*folder)(retort_string name, const retort_text_sink* path);
} retort_host_storage_v1;

#define RETORT_HOST_STORAGE_V1_SIZE 16u

#ifdef __cplusplus
}
#endif
#endif
