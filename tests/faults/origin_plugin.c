/* A library that needs another one beside itself, which its RUNPATH $ORIGIN names. */
int origin_answer(void);
int origin_answer_through_library(void);
int origin_answer_through_library(void) {
  return origin_answer();
}
#include "../plugins/bad_plugin.c"
