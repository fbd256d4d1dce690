/* What origin_plugin.c needs. */
int origin_answer(void);
int origin_answer(void) {
  return 42;
}
