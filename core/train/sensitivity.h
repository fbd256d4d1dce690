// What each layer loses by a quantizer's codes, measured one layer at a time, and which layers are worth 8 bits within
// a budget of bytes. No LibTorch in this header.
#pragma once

#include <retort/abi/plugin.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "train/hooks.h"

namespace retort::train {

struct SensitivityJob {
  std::filesystem::path model;
  std::filesystem::path dataset;       ///< train.jsonl calibrates where the quantizer asks for it; `split` measures
  retort_bound_component quantizer{};  ///< of retort.quantizer/1
  std::string split = "validation";
  std::int64_t limit = 64;  ///< sequences of the split, its first; 0: all
  std::int64_t budget = 0;  ///< bytes of the layers' matrices; 0: no layer gets more bits
  double max_rejected_share = 0.01;
  std::int64_t threads = 1;
  /// Existing folder for a model at a time that the runtime answers the split's labelled rows with; "": it does not.
  std::filesystem::path work;
  std::int64_t inference_threads = 1;
};

/// {"loss", "perplexity": of the float model in nats a token; "layers": [{"layer": "model.layers.0.", "loss",
/// "perplexity": with this layer's codes alone, "bytes", "bytes_8_bits"}], "overrides": ["model.layers.3.=8"], "bytes":
/// of the layers' matrices with these}. With `work`, for the float model and for each layer's codes alone, as the
/// runtime answers on this machine: "exact_match", "milliseconds" (median of a call), "model_bytes". Holds the model
/// twice in f32. Errors as quantize(); std::invalid_argument where the budget is below what the quantizer's own scheme
/// takes.
nlohmann::json sensitivity(const SensitivityJob& job, const RunHooks& hooks);

struct LayerCost {
  double loss = 0;         ///< nats a token that the layer's codes cost; below 0 where they happen to help
  std::int64_t bytes = 0;  ///< as the quantizer stores it
  std::int64_t wider = 0;  ///< with 8 bits
};

/// Which layers get 8 bits, ascending: those that save the most loss a byte first, as long as they fit. Throws
/// std::invalid_argument where `budget` is below the sum of `bytes`; 0 gives none.
std::vector<std::size_t> layers_worth_eight_bits(std::span<const LayerCost> layers, std::int64_t budget);

}  // namespace retort::train
