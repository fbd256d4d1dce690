// Tensors of a folder that its config.json does not ask for: which of them change the model, and what to say of the
// others. As Transformers 5.24 decides (modeling_utils.py: tie_weights, _adjust_missing_and_unexpected_keys).
#pragma once

#include <string>
#include <vector>

#include "model/model_config.h"
#include "model/model_tensors.h"

namespace retort::model {

/// A head beside a tied embedding: taken out of `index` where it repeats the embedding; where it does not, `config` is
/// no longer tied. Says which.
void settle_head(ModelConfig& config, TensorIndex& index, std::vector<std::string>& notices);

/// Takes what nothing reads out of `index` and says so, but of what is known to be harmless (buffers of inverse
/// frequencies, the scale that Retort writes for a tied head). Throws std::invalid_argument "origin: tensor …" for
/// biases that are not 0, because a model that was trained with them is another one without.
void set_aside_unread(const ModelConfig& config, TensorIndex& index, const std::string& origin,
                      std::vector<std::string>& notices);

}  // namespace retort::model
