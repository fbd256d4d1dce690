/* A second interface in plain C11, built outside the tree: "rl.reinforce" (Williams, 1992), A = r − mean reward of the
 * step, loss −1/N·Σ_tokens A·log π. `baseline` false: A = r. Nothing is linked. */
#include <retort/abi/plugin.h>
#include <retort/abi/rl.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) {(literal), sizeof(literal) - 1}

static const retort_host* host;

struct retort_instance {
  int64_t baseline;
};

static retort_error* refuse(const char* message) {
  const retort_string text = {message, strlen(message)};
  return host->error_new(RETORT_ERROR_INVALID_ARGUMENT, text);
}

static int equal(retort_string text, const char* literal) {
  return text.size == strlen(literal) && memcmp(text.data, literal, text.size) == 0;
}

static int is_matrix_like(const retort_tensor* tensor, const retort_tensor* mask) {
  return tensor != NULL && tensor->device_type == RETORT_DEVICE_CPU && tensor->dtype_code == RETORT_DTYPE_FLOAT &&
         tensor->dtype_bits == 32 && tensor->dimensions == 2 && tensor->shape[0] == mask->shape[0] &&
         tensor->shape[1] == mask->shape[1];
}

static float* element(const retort_tensor* tensor, int64_t row, int64_t column) {
  float* first = (float*)(void*)((char*)tensor->data + tensor->byte_offset);
  return first + row * tensor->strides[0] + (tensor->dimensions == 2 ? column * tensor->strides[1] : 0);
}

static retort_error* requirements(retort_instance* instance, retort_rl_requirements* out) {
  (void)instance;
  out->flags = 0;
  out->signals = 0;
  out->group_size = 2;
  out->updates = 1;
  out->mini_batches = 1;
  return NULL;
}

static retort_error* advantages(retort_instance* instance, const retort_rl_batch* batch, retort_rl_advantages* out) {
  const retort_tensor *mask = batch->mask, *rewards = batch->rewards;
  double mean = 0;
  if (mask == NULL || !is_matrix_like(mask, mask) || !is_matrix_like(out->advantages, mask))
    return refuse("mask, advantages: expected f32 matrices of one shape");
  if (rewards == NULL || rewards->dimensions != 1 || rewards->shape[0] != mask->shape[0])
    return refuse("rewards: expected one for each row of the mask");
  for (int64_t r = 0; r < rewards->shape[0]; ++r) mean += (double)*element(rewards, r, 0) / (double)rewards->shape[0];
  for (int64_t r = 0; r < mask->shape[0]; ++r)
    for (int64_t t = 0; t < mask->shape[1]; ++t) {
      const double advantage = (double)*element(rewards, r, 0) - (instance->baseline != 0 ? mean : 0);
      *element(out->advantages, r, t) = *element(mask, r, t) > 0 ? (float)advantage : 0;
    }
  return NULL;
}

/* The host gives the whole update's tokens, so that parts of it add up. */
static retort_error* loss(retort_instance* instance, const retort_rl_batch* batch, retort_rl_result* result) {
  const retort_tensor* mask = batch->mask;
  double total = 0;
  (void)instance;
  if (mask == NULL || !is_matrix_like(batch->log_probs, mask) || !is_matrix_like(batch->advantages, mask))
    return refuse("log_probs, advantages: expected f32 matrices of the mask's shape");
  for (int64_t r = 0; r < mask->shape[0]; ++r)
    for (int64_t t = 0; t < mask->shape[1]; ++t) {
      const int counts = *element(mask, r, t) > 0;
      const double slope = counts ? -(double)*element(batch->advantages, r, t) / (double)batch->update_tokens : 0;
      if (counts) total += slope * (double)*element(batch->log_probs, r, t);
      if (result->log_probs_gradient != NULL) *element(result->log_probs_gradient, r, t) = (float)slope;
    }
  result->loss = total;
  return NULL;
}

static const retort_rl_v1 functions = {RETORT_RL_V1_SIZE, 0, requirements, advantages, loss};

static const retort_component component = {
    sizeof(retort_component),
    0,
    TEXT("rl.reinforce"),
    TEXT(RETORT_RL_INTERFACE),
    TEXT("1.0.0"),
    TEXT("REINFORCE with the mean reward as baseline"),
    TEXT("{\"type\":\"object\",\"properties\":{\"baseline\":{\"type\":\"boolean\",\"default\":true,"
         "\"description\":\"subtract the mean reward\"}},\"required\":[],\"additionalProperties\":false}"),
    NULL,
    0,
    NULL};

static retort_error* init(const retort_host* services) {
  host = services;
  return host->abi_major == RETORT_ABI_MAJOR ? NULL : refuse("reinforce: built for Retort plugin ABI 1; rebuild it");
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
  if (arguments->index != 0) return refuse("reinforce: no such component");
  instance = malloc(sizeof *instance);
  if (instance == NULL) return host->error_new(RETORT_ERROR_RUNTIME, out_of_memory);
  instance->baseline = 1;
  for (uint64_t count = arguments->parameter_count; count > 0; --count) {
    if (equal(next->path, "/baseline")) instance->baseline = next->integer;
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
  return equal(id, RETORT_RL_INTERFACE) ? &functions : NULL;
}

RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 = {sizeof(retort_plugin_entry),
                                                                  RETORT_ABI_MAJOR,
                                                                  RETORT_ABI_MINOR,
                                                                  0,
                                                                  TEXT("reinforce"),
                                                                  TEXT("1.0.0"),
                                                                  TEXT("Apache-2.0"),
                                                                  init,
                                                                  NULL,
                                                                  component_count,
                                                                  component_at,
                                                                  create,
                                                                  destroy,
                                                                  get_interface};
