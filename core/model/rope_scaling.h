// How a model stretches rotary position embeddings beyond the lengths that it was trained on: the "rope_scaling" (or
// "rope_parameters") of config.json, and the frequencies that follow from it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "host/base/json_cursor.h"

namespace retort::model {

enum class RopeType {
  standard,  ///< "default": theta^(−2i/d) (Su et al. 2021, https://arxiv.org/abs/2104.09864)
  linear,    ///< every frequency divided by factor (Chen et al. 2023, https://arxiv.org/abs/2306.15595)
  llama3,    ///< low frequencies divided, high ones kept, those between blended (Llama 3.1)
  yarn,      ///< a ramp over the dimensions and a temperature (Peng et al. 2023, https://arxiv.org/abs/2309.00071)
};

/// Values that the type does not use keep their defaults.
struct RopeScaling {
  RopeType type = RopeType::standard;
  double factor = 1;
  std::int64_t original_positions = 0;  ///< trained length, tokens; llama3 and yarn
  double low_frequency_factor = 1;      ///< llama3: wavelengths above original_positions/this are divided
  double high_frequency_factor = 4;     ///< llama3: wavelengths below original_positions/this are kept
  double beta_fast = 32;                ///< yarn: dimensions with more turns than this are kept
  double beta_slow = 1;                 ///< yarn: dimensions with fewer turns than this are divided
  bool truncate = true;                 ///< yarn: the ramp's ends are whole dimensions
  double attention_factor = 1;          ///< yarn: multiplies cosines and sines

  bool operator==(const RopeScaling&) const = default;
};

/// Reads the object. Absent values have the defaults of Transformers; `max_positions` stands in for an absent original
/// length. Throws std::invalid_argument for an unknown type, a missing value and one out of range.
RopeScaling rope_scaling_from_json(const host::JsonCursor& cursor, std::int64_t max_positions);

/// null for the standard type.
nlohmann::json to_json(const RopeScaling& scaling);

/// Radians per position of each of the head_dim/2 pairs, in double.
std::vector<double> rope_frequencies(const RopeScaling& scaling, double theta, std::int64_t head_dim);

}  // namespace retort::model
