// Where a config.json states its rotary embeddings, and what counts where it says them twice. As Transformers 5.24
// reads it (modeling_rope_utils.py: convert_rope_params_to_dict, standardize_rope_params).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/base/json_cursor.h"

namespace retort::model {

struct RopeSource {
  nlohmann::json values = nlohmann::json::object();  ///< one flat object, without nulls; empty: the standard ones
  std::string pointer;                               ///< where they stand, for errors
};

/// "rope_scaling" where it is not empty, else "rope_parameters", also where that is given for each layer type; with the
/// keys beside it: a rope_theta and a partial_rotary_factor inside win, an original_max_position_embeddings at the top
/// level does; without one it is max_position_embeddings for "llama3" and "yarn". Throws std::invalid_argument for
/// layer types that turn differently.
RopeSource rope_source(const host::JsonCursor& root, std::int64_t max_positions);

/// The same of Gemma's layers that slide: "sliding_attention" of rope_parameters, else rope_local_base_freq as
/// rope_theta; empty where neither is there. There, rope_source() is that of the layers that look at everything.
RopeSource local_rope_source(const host::JsonCursor& root);

/// What `root` says twice and differently, one sentence each, and which of the two counts.
std::vector<std::string> rope_contradictions(const host::JsonCursor& root);

}  // namespace retort::model
