// See workspace.h.
#include "runtime/workspace.h"

#include <algorithm>

#include "runtime/attention.h"
#include "runtime/vector_kernels.h"

namespace retort::runtime {
namespace {

std::int64_t widest_input(const model::ModelConfig& config) {
  return std::max({config.hidden_size, config.heads * config.head_dim, config.intermediate_size});
}

std::int64_t widest_output(const model::ModelConfig& config) {
  return std::max(
      {config.hidden_size, (config.heads + 2 * config.kv_heads) * config.head_dim, 2 * config.intermediate_size});
}

}  // namespace

Workspace::Workspace(const model::ModelConfig& config, std::int64_t rows, std::int64_t context)
    : hidden_(rows * config.hidden_size),
      projected_(rows * widest_output(config)),
      logits_(std::min(rows, kLogitRows) * config.vocabulary_size),
      scores_(attention_scratch(context)),
      head_(config.head_dim),
      values_(rows * widest_input(config)),
      row_scales_(rows),
      codes_(rows * widest_input(config)),
      input_{values_.data(), codes_.data(), row_scales_.data()} {}

void Workspace::finish_row(const Linear& next, std::int64_t row, float maximum) {
  if (!next.quantized()) {
    input_.row_scales[row] = 1.0f;
    return;
  }
  const std::int64_t offset = row * next.in();
  float* values = input_.values + offset;
  std::int8_t* codes = input_.codes + offset;
  input_.row_scales[row] = quantize_row(values, next.in(), maximum, codes);
  if (next.codes_as_f32()) std::copy(codes, codes + next.in(), values);
}

}  // namespace retort::runtime
