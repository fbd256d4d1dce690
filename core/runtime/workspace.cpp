// See workspace.h.
#include "runtime/workspace.h"

#include <algorithm>

#include "runtime/attention.h"

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
      group_scales_(rows * Activation::scale_groups(widest_input(config))),
      codes_(rows * Activation::code_bytes(widest_input(config))),
      halves_(rows * widest_input(config)),
      group_sums_(rows * Activation::scale_groups(widest_input(config))),
      input_{values_.data(), codes_.data(),        row_scales_.data(),
             halves_.data(), group_scales_.data(), group_sums_.data()} {}

}  // namespace retort::runtime
