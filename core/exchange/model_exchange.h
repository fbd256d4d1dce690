// A whole model from one form to another: what `retort import` and `retort export` do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "exchange/weight_source.h"
#include "model/gguf_blocks.h"

namespace retort::exchange {

struct ImportOptions {
  std::optional<model::DataType> type;  ///< of every tensor; absent: as stored, block-quantised ones as f32
  /// Take the tokenizer along: a GGUF file's, or that of `tokenizer_file`. Without it the folder has weights and
  /// settings alone, for tokenizers that are not read.
  bool with_tokenizer = true;
  std::filesystem::path tokenizer_file;     ///< llama2.c's tokenizer.bin; empty: the one beside the checkpoint, if any
  std::size_t shard_bytes = 5'000'000'000;  ///< see FolderExportOptions
};

struct ExportOptions {
  std::optional<model::GgmlType> type;      ///< see GgufExportOptions; to Hugging Face folders f32, f16 or bf16
  std::size_t shard_bytes = 5'000'000'000;  ///< of Hugging Face folders
};

/// What was written.
struct ExchangeResult {
  model::ModelConfig config;
  std::vector<std::filesystem::path> files;  ///< by name
  std::int64_t bytes = 0;                    ///< of all files
  std::vector<std::string> notes;            ///< what a person should know: padding rows, a missing tokenizer, …
};

/// Makes the Hugging Face folder `target` of `source`, a GGUF file or a llama2.c checkpoint. It is written under
/// another name beside it, opened as a check, and renamed: `target` is whole or absent. Throws std::invalid_argument if
/// `target` exists or `source` is not what it should be, std::runtime_error where the disk fails, and what `report`
/// throws.
ExchangeResult import_model(const std::filesystem::path& source, const std::filesystem::path& target,
                            const ImportOptions& options, const ProgressReport& report = {});

/// Writes the model folder `source` as one GGUF file. The same guarantees.
ExchangeResult export_to_gguf(const std::filesystem::path& source, const std::filesystem::path& target,
                              const ExportOptions& options, const ProgressReport& report = {});

/// Writes the model folder `source` as a Hugging Face folder in floating point, with its tokenizer and settings. The
/// same guarantees.
ExchangeResult export_to_folder(const std::filesystem::path& source, const std::filesystem::path& target,
                                const ExportOptions& options, const ProgressReport& report = {});

}  // namespace retort::exchange
