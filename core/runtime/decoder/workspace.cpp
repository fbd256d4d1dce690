// See workspace.h.
#include "runtime/decoder/workspace.h"

#include <algorithm>

#include "runtime/kernels/attention.h"

namespace retort::runtime {
namespace {

std::int64_t widest_input(const model::ModelConfig& config) {
  return std::max({config.hidden_size, config.heads * config.head_dim, config.intermediate_size});
}

std::int64_t widest_output(const model::ModelConfig& config) {
  return std::max(
      {config.hidden_size, (config.heads + 2 * config.kv_heads) * config.head_dim, 2 * config.intermediate_size});
}

/// A thread's part: neighbours on separate cache lines.
std::int64_t whole_lines(std::int64_t floats) {
  return (floats + 15) / 16 * 16;
}

}  // namespace

Workspace::Workspace(const model::ModelConfig& config, std::int64_t rows, std::int64_t threads)
    : heads_size_(whole_lines(kQueryTile * config.head_dim)),
      attention_size_(whole_lines(attention_scratch(config.head_dim))) {
  const std::int64_t hidden = arena_.reserve<float>(rows * config.hidden_size);
  const std::int64_t projected = arena_.reserve<float>(rows * widest_output(config));
  const std::int64_t logits = arena_.reserve<float>(std::min(rows, kLogitRows) * config.vocabulary_size);
  const std::int64_t heads = arena_.reserve<float>(threads * heads_size_);
  const std::int64_t attention = arena_.reserve<float>(threads * attention_size_);
  const std::int64_t width = widest_input(config);
  const std::int64_t values = arena_.reserve<float>(rows * width);
  const std::int64_t codes = arena_.reserve<std::int8_t>(rows * Activation::code_bytes(width));
  const std::int64_t row_scales = arena_.reserve<float>(rows);
  const std::int64_t halves = arena_.reserve<std::uint16_t>(rows * width);
  const std::int64_t group_sums = arena_.reserve<std::int32_t>(rows * Activation::group_sums_of(width));
  const std::int64_t outliers = arena_.reserve<std::int32_t>(rows * outliers_of(width));
  arena_.allocate();
  hidden_ = arena_.at<float>(hidden);
  projected_ = arena_.at<float>(projected);
  logits_ = arena_.at<float>(logits);
  heads_ = arena_.at<float>(heads);
  attention_ = arena_.at<float>(attention);
  input_ = {arena_.at<float>(values),         arena_.at<std::int8_t>(codes),       arena_.at<float>(row_scales),
            arena_.at<std::uint16_t>(halves), arena_.at<std::int32_t>(group_sums), arena_.at<std::int32_t>(outliers)};
}

}  // namespace retort::runtime
