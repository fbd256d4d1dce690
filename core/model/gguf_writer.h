// Writes a GGUF file (version 3) tensor by tensor: metadata and shapes first, then each tensor's bytes as they are
// asked for, so that a model needs no more memory than a piece of a tensor. Source:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/byte_sink.h"
#include "model/gguf_blocks.h"
#include "model/gguf_metadata.h"

namespace retort::model {

/// A tensor whose bytes come later. `shape` is row-major ([out,in] for a linear layer).
struct GgufDeclaration {
  std::string name;
  GgmlType type = GgmlType::f32;
  std::vector<std::int64_t> shape;
  std::size_t bytes() const;  ///< of the whole tensor
};

/// Appends all bytes of the tensor to the sink, as gguf_blocks.h lays them out.
using GgufProducer = std::function<void(const GgufDeclaration& tensor, ByteSink& sink)>;

/// Writes keys in alphabetical order and tensors in the order given, each aligned to 32 bytes, to a temporary name,
/// then fsync and rename. Byte-identical for equal input. Throws std::invalid_argument for a name given twice or too
/// long, a shape that the type cannot have and a producer that gives too little or too much, std::runtime_error naming
/// the path and errno's text; a failure leaves what was there under the final name.
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<GgufDeclaration>& tensors, const GgufProducer& producer);

}  // namespace retort::model
