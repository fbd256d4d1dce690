// generation_config.json: what a published model says about generating with it. Only what Retort needs of it.
#pragma once

#include <cstdint>
#include <vector>

#include "model/model_folder.h"

namespace retort::model {

/// The tokens that end an answer: eos_token_id of generation_config.json (one, or a list as Llama 3 and Qwen have it),
/// else of config.json; empty where neither names one. Throws std::invalid_argument naming file and place.
std::vector<std::int64_t> end_tokens(const ModelFolder& folder);

}  // namespace retort::model
