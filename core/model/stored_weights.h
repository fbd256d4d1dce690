// How a folder's weights are stored, added up: for descriptions of models.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_folder.h"

namespace retort::model {

/// All weights in one form.
struct StoredWeights {
  std::string form;             ///< "F32", "BF16", "int8", "asymmetric int4 in groups of 64"
  std::int64_t parameters = 0;  ///< a tied embedding counts once
  std::int64_t bytes = 0;       ///< codes, scales, zero points
};

/// Most bytes first.
std::vector<StoredWeights> stored_weights(const ModelFolder& folder);

/// The forms of the matrices, as "int4 in groups of 64 and int8"; what is not quantised is named only if nothing is.
std::string weight_forms(const ModelFolder& folder);

}  // namespace retort::model
