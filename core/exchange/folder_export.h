// Writes a model as a Hugging Face folder: config.json and *.safetensors, in floating point. Tokenizer files are their
// own concern (token_settings.h).
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "exchange/weight_source.h"

namespace retort::exchange {

struct FolderExportOptions {
  std::optional<model::DataType> type;      ///< f32, f16 or bf16 for every tensor; absent: each as its source has it
  std::size_t shard_bytes = 5'000'000'000;  ///< files of at most this size, unless one tensor is larger
  nlohmann::json config;  ///< written as config.json with its dtype adapted; null: made from the shape
};

/// Writes into `folder`, which exists; config.json last. Needs memory for a piece of a tensor. Throws as
/// model::write_safetensors, and what `report` throws; the caller removes the folder then.
void export_folder(const WeightSource& source, const std::filesystem::path& folder, const FolderExportOptions& options,
                   const ProgressReport& report);

}  // namespace retort::exchange
