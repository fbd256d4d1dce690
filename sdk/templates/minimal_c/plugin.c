/* A whole plugin in plain C11: the distillation loss "distill.logit_mse",
 *   loss_row = scale/2 · Σ_v (student_v − teacher_v)²     d loss_row / d student_v = scale · (student_v − teacher_v)
 * It shows everything that the ABI asks of a plugin: the entry symbol, one component with a parameter, its interface's
 * function table, errors, and tensors read by their strides. Nothing is linked. */
#include <retort/abi/distill.h>
#include <retort/abi/plugin.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) {(literal), sizeof(literal) - 1}

static const retort_host* host; /* valid from init to the end of the process */

struct retort_instance {
  double scale;
};

static retort_error* refuse(const char* message) {
  const retort_string text = {message, strlen(message)};
  return host->error_new(RETORT_ERROR_INVALID_ARGUMENT, text);
}

static int equal(retort_string text, const char* literal) {
  return text.size == strlen(literal) && memcmp(text.data, literal, text.size) == 0;
}

/* ---- retort.distill/1 ---- */

static int is_matrix(const retort_tensor* tensor) {
  return tensor != NULL && tensor->device_type == RETORT_DEVICE_CPU && tensor->dtype_code == RETORT_DTYPE_FLOAT &&
         tensor->dtype_bits == 32 && tensor->dtype_lanes == 1 && tensor->dimensions == 2;
}

static float* element(const retort_tensor* tensor, int64_t row, int64_t column) {
  float* first = (float*)(void*)((char*)tensor->data + tensor->byte_offset);
  return first + row * tensor->strides[0] + column * tensor->strides[1];
}

static retort_error* requirements(retort_instance* instance, retort_distill_requirements* out) {
  (void)instance;
  out->signals = RETORT_SIGNAL_TEACHER_LOGITS;
  out->top_k = 0;
  out->on_policy_fraction = 0;
  return NULL;
}

static retort_error* loss(retort_instance* instance, const retort_distill_batch* batch, double* out,
                          const retort_tensor* logits_gradient, const retort_tensor* hidden_gradient,
                          const retort_metric_sink* metrics) {
  const retort_tensor *student = batch->student_logits, *teacher = batch->teacher_logits, *mask = batch->mask;
  double total = 0;
  (void)hidden_gradient; /* hidden states were not asked for */
  if (!is_matrix(student) || !is_matrix(teacher))
    return refuse("student_logits, teacher_logits: expected f32 matrices in host memory");
  if (student->shape[0] != teacher->shape[0] || student->shape[1] != teacher->shape[1])
    return refuse("teacher_logits: expected the shape of student_logits");
  for (int64_t n = 0; n < student->shape[0]; ++n) {
    const float* weights = mask == NULL ? NULL : (const float*)(const void*)((char*)mask->data + mask->byte_offset);
    const double weight = weights == NULL ? 1.0 : (double)weights[n * mask->strides[0]];
    for (int64_t v = 0; v < student->shape[1]; ++v) {
      const double difference = (double)*element(student, n, v) - (double)*element(teacher, n, v);
      total += weight * instance->scale / 2 * difference * difference;
      if (logits_gradient != NULL) *element(logits_gradient, n, v) = (float)(weight * instance->scale * difference);
    }
  }
  *out = total;
  if (metrics != NULL) {
    const retort_string name = TEXT("logit_mse");
    metrics->metric(metrics->context, name, total);
  }
  return NULL;
}

static const retort_distill_v1 distill = {sizeof(retort_distill_v1), 0, requirements, loss};

/* ---- the plugin ---- */

static const retort_component component = {
    sizeof(retort_component),
    0,
    TEXT("distill.logit_mse"),
    TEXT(RETORT_DISTILL_INTERFACE),
    TEXT("1.0.0"),
    TEXT("half the squared distance of student and teacher logits"),
    TEXT("{\"type\":\"object\",\"properties\":{\"scale\":{\"type\":\"number\",\"default\":1,\"exclusiveMinimum\":0,"
         "\"description\":\"factor of the loss\"}},\"required\":[],\"additionalProperties\":false}")};

static retort_error* init(const retort_host* services) {
  host = services;
  if (host->abi_major != RETORT_ABI_MAJOR) return refuse("logit_mse: built for Retort plugin ABI 1; rebuild it");
  return NULL;
}

static uint32_t component_count(void) {
  return 1;
}

static const retort_component* component_at(uint32_t index) {
  return index == 0 ? &component : NULL;
}

static retort_error* create(uint32_t index, const retort_parameter* parameters, uint64_t count, retort_instance** out) {
  const retort_string out_of_memory = TEXT("out of memory");
  retort_instance* instance;
  if (index != 0) return refuse("logit_mse: no such component");
  instance = malloc(sizeof *instance);
  if (instance == NULL) return host->error_new(RETORT_ERROR_RUNTIME, out_of_memory);
  instance->scale = 1; /* the host fills defaults in; this is for hosts that pass nothing */
  /* A newer host's entries may be longer than this header's: step by struct_size. */
  for (const retort_parameter* next = parameters; count > 0; --count) {
    if (equal(next->path, "/scale")) instance->scale = next->number;
    next = (const retort_parameter*)((const char*)next + next->struct_size);
  }
  *out = instance;
  return NULL;
}

static void destroy(retort_instance* instance) {
  free(instance);
}

static const void* get_interface(retort_instance* instance, retort_string id) {
  (void)instance;
  return equal(id, RETORT_DISTILL_INTERFACE) ? &distill : NULL;
}

RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 = {sizeof(retort_plugin_entry),
                                                                  RETORT_ABI_MAJOR,
                                                                  RETORT_ABI_MINOR,
                                                                  0,
                                                                  TEXT("logit_mse"),
                                                                  TEXT("1.0.0"),
                                                                  TEXT("Apache-2.0"),
                                                                  init,
                                                                  NULL,
                                                                  component_count,
                                                                  component_at,
                                                                  create,
                                                                  destroy,
                                                                  get_interface};
