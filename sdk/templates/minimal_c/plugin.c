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

/* `setup` would tell of the models; this loss does not depend on them. */
static retort_error* requirements(retort_instance* instance, const retort_distill_setup* setup,
                                  retort_distill_requirements* out) {
  (void)instance;
  (void)setup;
  out->flags = 0;
  out->signals = RETORT_SIGNAL_TEACHER_LOGITS;
  out->top_k = 0;
  out->on_policy_fraction = 0;
  out->layer_count = 0; /* no hidden states */
  out->student_layers = out->teacher_layers = NULL;
  out->parameter_count = 0; /* nothing to train beside the student */
  out->parameters = NULL;
  return NULL;
}

/* All sums over rows, so that the host may pass a step's rows in several calls. */
static retort_error* loss(retort_instance* instance, const retort_distill_batch* batch, retort_distill_result* result) {
  const retort_tensor *student = batch->student_logits, *mask = batch->mask, *gradient = result->logits_gradient;
  const retort_tensor* teacher;
  double total = 0;
  if (batch->teacher_count != 1) return refuse("teachers: this loss compares with one teacher only");
  teacher = batch->teachers[0].logits;
  if (!is_matrix(student) || !is_matrix(teacher))
    return refuse("student_logits, teacher_logits: expected f32 matrices in host memory");
  if (student->shape[0] != teacher->shape[0] || student->shape[1] != teacher->shape[1])
    return refuse("teacher_logits: expected the shape of student_logits");
  for (int64_t n = 0; n < student->shape[0]; ++n) {
    const float* weights = mask == NULL ? NULL : (const float*)(const void*)((char*)mask->data + mask->byte_offset);
    const double weight = weights == NULL ? 1.0 : (double)weights[n * mask->strides[0]];
    for (int64_t v = 0; v < student->shape[1]; ++v) {
      const double difference = /* a row that is left out is not read */
          weight == 0 ? 0 : (double)*element(student, n, v) - (double)*element(teacher, n, v);
      total += weight * instance->scale / 2 * difference * difference;
      if (gradient != NULL) *element(gradient, n, v) = (float)(weight * instance->scale * difference);
    }
  }
  result->loss = total;
  if (result->metrics != NULL) {
    const retort_string name = TEXT("logit_mse");
    result->metrics->metric(result->metrics->context, name, total);
  }
  return NULL;
}

static const retort_distill_v1 distill = {RETORT_DISTILL_V1_SIZE, 0, requirements, NULL, loss};

/* ---- the plugin ---- */

static const retort_component component = {
    sizeof(retort_component),
    0,
    TEXT("distill.logit_mse"),
    TEXT(RETORT_DISTILL_INTERFACE),
    TEXT("1.0.0"),
    TEXT("half the squared distance of student and teacher logits"),
    TEXT("{\"type\":\"object\",\"properties\":{\"scale\":{\"type\":\"number\",\"default\":1,\"exclusiveMinimum\":0,"
         "\"description\":\"factor of the loss\"}},\"required\":[],\"additionalProperties\":false}"),
    NULL, /* no slots for other components */
    0,
    NULL /* not a stage */};

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

static retort_error* create(const retort_create_arguments* arguments, retort_instance** out) {
  const retort_string out_of_memory = TEXT("out of memory");
  const retort_parameter* next = arguments->parameters;
  retort_instance* instance;
  if (arguments->index != 0) return refuse("logit_mse: no such component");
  instance = malloc(sizeof *instance);
  if (instance == NULL) return host->error_new(RETORT_ERROR_RUNTIME, out_of_memory);
  instance->scale = 1; /* the host fills defaults in; this is for hosts that pass nothing */
  /* A newer host's entries may be longer than this header's: step by struct_size. */
  for (uint64_t count = arguments->parameter_count; count > 0; --count) {
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
