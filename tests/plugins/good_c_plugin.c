/* A whole plugin in C: a distillation loss, cross-entropy against the teacher's distribution at temperature 1. */
#include <math.h>
#include <retort/abi/distill.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}

struct retort_instance {
  double weight;
};

static const retort_host* host;

static retort_error* refuse(const char* message) {
  const retort_string text = {message, strlen(message)};
  return host->error_new(RETORT_ERROR_INVALID_ARGUMENT, text);
}

static int same(retort_string a, const char* b) {
  return a.size == strlen(b) && memcmp(a.data, b, a.size) == 0;
}

static const float* row(const retort_tensor* tensor, int64_t index) {
  return (const float*)((const char*)tensor->data + tensor->byte_offset) + index * tensor->strides[0];
}

static retort_error* requirements(retort_instance* instance, const retort_distill_setup* setup,
                                  retort_distill_requirements* out) {
  (void)instance, (void)setup;
  out->signals = RETORT_SIGNAL_TEACHER_LOGITS;
  return NULL;
}

static double log_sum_exp(const float* logits, int64_t count) {
  double largest = logits[0], sum = 0;
  for (int64_t v = 1; v < count; ++v)
    if (logits[v] > largest) largest = logits[v];
  for (int64_t v = 0; v < count; ++v) sum += exp(logits[v] - largest);
  return largest + log(sum);
}

static retort_error* loss(retort_instance* instance, const retort_distill_batch* batch, retort_distill_result* result) {
  const int64_t rows = batch->student_logits->shape[0], vocabulary = batch->student_logits->shape[1];
  const retort_tensor *teacher_logits, *gradient = result->logits_gradient;
  double* value = &result->loss;
  if (batch->teacher_count == 0 || batch->teachers->logits == NULL) return refuse("teacher logits are missing");
  teacher_logits = batch->teachers->logits;
  *value = 0;
  for (int64_t n = 0; n < rows; ++n) {
    const float* student = row(batch->student_logits, n);
    const float* teacher = row(teacher_logits, n);
    const double mask = instance->weight * row(batch->mask, 0)[n * batch->mask->strides[0]];
    const double student_norm = log_sum_exp(student, vocabulary), teacher_norm = log_sum_exp(teacher, vocabulary);
    for (int64_t v = 0; v < vocabulary; ++v) {
      const double p = exp(teacher[v] - teacher_norm), log_q = student[v] - student_norm;
      *value -= mask * p * log_q;
      if (gradient != NULL) ((float*)row(gradient, n))[v] = (float)(mask * (exp(log_q) - p));
    }
  }
  if (result->metrics != NULL) {
    const retort_string name = TEXT("cross_entropy");
    result->metrics->metric(result->metrics->context, name, *value);
  }
  return NULL;
}

static retort_error* init(const retort_host* given) {
  host = given;
  return NULL;
}

static uint32_t component_count(void) {
  return 1;
}

static const retort_component* component(uint32_t index) {
  static const retort_component only = {
      sizeof(retort_component),
      0,
      TEXT("distill.good_c"),
      TEXT(RETORT_DISTILL_INTERFACE),
      TEXT("1.0.0"),
      TEXT("cross-entropy against the teacher, written in C"),
      TEXT("{\"type\": \"object\", \"properties\": {\"weight\": {\"type\": \"number\", \"default\": 1.0, "
           "\"exclusiveMinimum\": 0, \"description\": \"factor of the loss\"}}}"),
      NULL,
      0,
      NULL};
  return index == 0 ? &only : NULL;
}

static retort_error* create(const retort_create_arguments* arguments, retort_instance** out) {
  const char* entry = (const char*)arguments->parameters;
  if (arguments->index != 0) return refuse("there is one component");
  *out = malloc(sizeof **out);
  if (*out == NULL) return refuse("out of memory");
  (*out)->weight = 1;
  for (uint64_t i = 0; i < arguments->parameter_count; ++i) {
    const retort_parameter* parameter = (const retort_parameter*)(const void*)entry;
    if (same(parameter->path, "/weight")) (*out)->weight = parameter->number;
    entry += parameter->struct_size;
  }
  return NULL;
}

static void destroy(retort_instance* instance) {
  free(instance);
}

static const void* get_interface(retort_instance* instance, retort_string id) {
  static const retort_distill_v1 table = {RETORT_DISTILL_V1_SIZE, 0, requirements, NULL, loss};
  (void)instance;
  return same(id, RETORT_DISTILL_INTERFACE) ? &table : NULL;
}

RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 = {sizeof(retort_plugin_entry),
                                                                  RETORT_ABI_MAJOR,
                                                                  RETORT_ABI_MINOR,
                                                                  0,
                                                                  TEXT("good_c"),
                                                                  TEXT("1.0.0"),
                                                                  TEXT("Apache-2.0"),
                                                                  init,
                                                                  NULL,
                                                                  component_count,
                                                                  component,
                                                                  create,
                                                                  destroy,
                                                                  get_interface};
