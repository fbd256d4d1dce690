// Writes a model as one GGUF file that llama.cpp runs.
#pragma once

#include <filesystem>
#include <optional>

#include "exchange/weight_source.h"
#include "model/gguf_blocks.h"
#include "model/gguf_metadata.h"

namespace retort::exchange {

struct GgufExportOptions {
  /// Of every matrix; absent: each as its source has it, quantised ones as f32. Exceptions as llama.cpp needs or makes
  /// them: vectors are f32; a matrix whose rows are no whole blocks is f16; with q4_0 and q4_1 the head is q8_0
  /// (llama.cpp takes q6_K).
  std::optional<model::GgmlType> type;
};

/// Writes the shape's keys, `more` (tokenizer, names; it wins where both have a key) and all weights to `path`,
/// atomically, with memory for a piece of a tensor. Integer codes of the source stay what they are where the target has
/// the same form (int8 with q8_0, int4 in groups of 32·n with q4_0), their scales rounded to f16. Throws as
/// model::write_gguf and gguf_from_config, and what `report` throws.
void export_gguf(const WeightSource& source, const model::GgufMetadata& more, const std::filesystem::path& path,
                 const GgufExportOptions& options, const ProgressReport& report);

}  // namespace retort::exchange
