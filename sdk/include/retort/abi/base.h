/* Retort plugin ABI 1: what every interface uses: strings, errors, tensors, sinks and the host's services.
 * Plain C11, also valid C++17 and C++20. The rules: sdk/README.md.
 *
 * Every struct that crosses the boundary by pointer begins with `struct_size`, set by whoever fills it. Fields are only
 * ever appended; a reader tests with RETORT_HAS_FIELD that a field lies inside struct_size before it reads it. There
 * are no bool, bit-field or enum-typed fields.
 */
#ifndef RETORT_ABI_BASE_H
#define RETORT_ABI_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_ABI_MAJOR 1
#define RETORT_ABI_MINOR 0

#define RETORT_HAS_FIELD(pointer, type, field) \
  ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

/* UTF-8, borrowed for the call, not terminated. `data` may be NULL when `size` is 0. */
typedef struct retort_string {
  const char* data;
  uint64_t size; /* bytes */
} retort_string;

/* Error codes: whose fault it is. */
#define RETORT_ERROR_INVALID_ARGUMENT 1 /* the caller's: a value, a shape, a missing signal */
#define RETORT_ERROR_RUNTIME 2          /* the world's: a file, a connection, memory */
#define RETORT_ERROR_STOPPED 3          /* should_stop() said so */
#define RETORT_ERROR_INTERNAL 4         /* a bug in the component */

/* Made and freed by the host. Functions return NULL for success; the caller owns what is returned and frees it with
 * retort_host.error_free. */
typedef struct retort_error retort_error;

/* Takes text in one or several pieces. `context` belongs to whoever made the sink. [same thread, during the call] */
typedef struct retort_text_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  void (*write)(void* context, retort_string piece);
} retort_text_sink;

/* Takes the results of long work item by item, in any order, each once: the host stores what it got before it asks for
 * more, so that a run that is killed repeats nothing. `index` counts the request's items from 0; `json` is borrowed.
 * [any thread of the call, one at a time] */
typedef struct retort_item_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  void (*item)(void* context, uint64_t index, retort_string json);
} retort_item_sink;

/* Takes named numbers, such as parts of a loss. [same thread, during the call] */
typedef struct retort_metric_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  void (*metric)(void* context, retort_string name, double value);
} retort_metric_sink;

/* Element type codes and device types have DLPack's values. */
#define RETORT_DTYPE_INT 0
#define RETORT_DTYPE_UINT 1
#define RETORT_DTYPE_FLOAT 2
#define RETORT_DTYPE_BFLOAT 4
#define RETORT_DEVICE_CPU 1
#define RETORT_DEVICE_CUDA 2
#define RETORT_TENSOR_READ_ONLY 1u /* bit of retort_tensor.flags */

/* A borrowed view of a tensor, laid out as DLPack's: element (i, j, …) of the given type lies at
 * data + byte_offset + size·(i·strides[0] + j·strides[1] + …). Owned by whoever made it, valid for the call. */
typedef struct retort_tensor {
  uint32_t struct_size;
  uint32_t flags;
  void* data;
  int32_t device_type;
  int32_t device_id;
  uint8_t dtype_code;
  uint8_t dtype_bits;
  uint16_t dtype_lanes; /* 1 */
  int32_t dimensions;
  const int64_t* shape;
  const int64_t* strides; /* in elements; never NULL */
  uint64_t byte_offset;
} retort_tensor;

/* One parameter, validated by the host against the component's schema, defaults filled in. Nested objects and arrays
 * are flattened: `path` is the JSON pointer of a scalar, "/optimizer/learning_rate" or "/layers/0". An array or object
 * with no members appears as one entry of type RETORT_PARAMETER_EMPTY. In an array of them the next entry lies
 * struct_size bytes after this one. */
#define RETORT_PARAMETER_BOOLEAN 1
#define RETORT_PARAMETER_INTEGER 2
#define RETORT_PARAMETER_NUMBER 3
#define RETORT_PARAMETER_STRING 4
#define RETORT_PARAMETER_EMPTY 5
typedef struct retort_parameter {
  uint32_t struct_size;
  uint32_t type;
  retort_string path;
  int64_t integer; /* INTEGER; BOOLEAN as 0 or 1 */
  double number;   /* NUMBER, and INTEGER once more */
  retort_string string;
} retort_parameter;

#define RETORT_LOG_DEBUG 1
#define RETORT_LOG_INFO 2
#define RETORT_LOG_WARNING 3
#define RETORT_LOG_ERROR 4

/* The host's services, valid from init to the end of the process. Every function: [any-thread], never NULL in the
 * revision that introduced it. */
typedef struct retort_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  retort_string product_version; /* for messages only; the ABI version decides what fits */
  retort_error* (*error_new)(int32_t code, retort_string message); /* never NULL */
  int32_t (*error_code)(const retort_error* error);
  retort_string (*error_message)(const retort_error* error); /* valid until error_free */
  void (*error_free)(retort_error* error);                   /* NULL is allowed */
  void (*log)(int32_t level, retort_string message);
  int32_t (*should_stop)(void); /* 1 once the user asked to stop: long work returns RETORT_ERROR_STOPPED soon after */
  /* An optional service by id, or NULL if this host does not offer it: "retort.host.models/1" (host_models.h),
   * "retort.host.secrets/1" (host_secrets.h). The table lives to the end of the process. */
  const void* (*get_extension)(retort_string id);
} retort_host;

#ifdef __cplusplus
}
#endif
#endif
