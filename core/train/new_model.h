// The shape of a model that starts from random weights, and its checks. No LibTorch.
#pragma once

#include <cstdint>
#include <string>

#include "model/model_config.h"

namespace retort::train {

struct NewModel {
  std::int64_t vocabulary_size = 2048;  ///< tokens, special ones included
  std::int64_t hidden_size = 256;
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 4;
  std::int64_t head_dim = 0;  ///< 0 = hidden_size / heads
  std::int64_t intermediate_size = 704;
  std::int64_t max_positions = 256;  ///< tokens
  double rope_theta = 10000;
  std::string prompt_attention = "causal";  ///< or "bidirectional"; in a distillation "teacher": the teacher's
};

/// Gives `config` this shape, vocabulary left alone. Layers that look through a sliding window stay as dense in the
/// depth as they were. Throws std::invalid_argument, naming the parameter, for sizes that do not fit together.
void apply_shape(const NewModel& shape, model::ModelConfig& config);

}  // namespace retort::train
