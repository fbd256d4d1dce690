// config.json's quantization_config in the terms of compressed-tensors. Two schemes are understood:
//   int8  symmetric codes of 8 bits, one scale per output channel; activations are float (W8A16) or dynamic int8 per
//   token
//         (W8A8); an embedding has none. Stored as "int-quantized".
//   int4  codes of 4 bits, a scale and, if asymmetric, a zero point for 32, 64 or 128 input columns, float activations
//         (W4A16). "pack-quantized".
// Layers of one model may have different ones: groups with modules' names as targets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/base/json_cursor.h"

namespace retort::model {

struct WeightScheme {
  int bits = 8;                 ///< 4 or 8
  std::int64_t group_size = 0;  ///< 32, 64 or 128 with 4 bits, 0 (per channel) with 8
  bool symmetric = true;        ///< false: with zero points, 4 bits only
  bool operator==(const WeightScheme&) const = default;
};

/// The modules that share a scheme: classes ("Linear", "Embedding") or modules' names ("lm_head"), which win.
struct QuantizedModules {
  std::vector<std::string> targets;
  WeightScheme scheme;
  int activation_bits = 0;  ///< 8: dynamic int8 per token, for 8-bit weights that are multiplied; 0: float
};

/// The description of `groups`; `ignore` names modules left in float. Every group states its format, because readers
/// choose by it (compressed-tensors 0.11 and later); where formats differ the whole is "mixed-precision".
nlohmann::json quantization_config(const std::vector<QuantizedModules>& groups, const std::vector<std::string>& ignore);

/// The schemes that `config` (config.json's quantization_config) states, each once; at least one. Throws
/// std::invalid_argument, by field, for another scheme and for what would change the weights (zero points of 8
/// bits, an order of columns, transforms, sparsity).
std::vector<WeightScheme> read_quantization_config(const host::JsonCursor& config);

/// The bits of the activations by which `config`, which read_quantization_config accepts, has its 8-bit modules
/// multiplied: 8 if each group of such modules asks for it, else 0. One answer for the folder, and float activations
/// are never wrong: they are what int8 ones approximate.
int read_activation_bits(const host::JsonCursor& config);

/// "int8", "int4 in groups of 64", "asymmetric int4 in groups of 64".
std::string name_of(const WeightScheme& scheme);

}  // namespace retort::model
