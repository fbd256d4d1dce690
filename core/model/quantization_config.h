// The one quantisation scheme that is understood, as compressed-tensors' quantization_config states it: int8 weights
// with one symmetric scale per output channel, int8 activations with one dynamic symmetric scale per token.
#pragma once

#include "model/json_cursor.h"

namespace retort::model {

/// Throws std::invalid_argument, by field, where `config` (config.json's quantization_config) asks for another scheme.
void check_int8_quantization_config(const JsonCursor& config);

}  // namespace retort::model
