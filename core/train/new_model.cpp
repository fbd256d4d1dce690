#include "train/new_model.h"

#include <stdexcept>
#include <string>

namespace retort::train {
namespace {

/// The kind of layer that stands at the same relative depth in the old model.
std::vector<bool> spread(const std::vector<bool>& sliding, std::int64_t layers) {
  std::vector<bool> result;
  const auto old = static_cast<std::int64_t>(sliding.size());
  for (std::int64_t i = 0; old > 0 && i < layers; ++i)
    result.push_back(sliding[static_cast<std::size_t>(i * old / layers)]);
  return result;
}

}  // namespace

void apply_shape(const NewModel& shape, model::ModelConfig& config) {
  config.hidden_size = shape.hidden_size;
  config.intermediate_size = shape.intermediate_size;
  config.layers = shape.layers;
  config.heads = shape.heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim > 0 ? shape.head_dim : shape.hidden_size / shape.heads;
  config.max_positions = shape.max_positions;
  config.rope_theta = shape.rope_theta;
  config.sliding_layers = spread(config.sliding_layers, shape.layers);
  if (config.heads % config.kv_heads != 0)
    throw std::invalid_argument("model.kv_heads: expected a divisor of heads (" + std::to_string(config.heads) +
                                "), found " + std::to_string(config.kv_heads));
  if (config.head_dim < 2 || config.head_dim % 2 != 0)
    throw std::invalid_argument("model.head_dim: expected an even number, found " + std::to_string(config.head_dim) +
                                ": rotary position embedding turns pairs");
}

}  // namespace retort::train
