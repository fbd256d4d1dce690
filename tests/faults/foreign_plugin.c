/* A plugin that nobody asked for: its constructor says that it ran. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void say_so(void) {
  const char* path = getenv("RETORT_TEST_WITNESS");
  FILE* file = path != NULL ? fopen(path, "a") : NULL;
  if (file == NULL) return;
  fputs("ran\n", file);
  fclose(file);
}
#include "../plugins/bad_plugin.c"
