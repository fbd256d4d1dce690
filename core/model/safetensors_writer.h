// Writes safetensors tensor by tensor: all are declared first, their bytes asked for one after the other, so that a
// model needs no more memory than a piece of a tensor. One file, or as many as keep each below a size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/byte_sink.h"
#include "model/stored_tensor.h"

namespace retort::model {

/// A tensor whose bytes come later.
struct TensorDeclaration {
  std::string name;
  DataType type = DataType::f32;
  std::vector<std::int64_t> shape;
  std::size_t bytes() const;  ///< of the whole tensor; throws std::invalid_argument for sizes below 0 or overflow
};

/// Appends all bytes of the tensor, row-major, little-endian, to the sink. What it throws, the writer passes on.
using TensorProducer = std::function<void(const TensorDeclaration& tensor, ByteSink& sink)>;

/// Writes those with the largest elements first and then by name, so that each is aligned without holes, to a temporary
/// name, then fsync and rename. Byte-identical for equal input. Throws std::invalid_argument for a name given twice, a
/// negative size and a producer that gives too little or too much, std::runtime_error naming the path and errno's text;
/// a failure leaves what was there under the final name.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                       const std::map<std::string, std::string>& metadata, const TensorProducer& producer);

/// Writes model.safetensors into `folder` where all tensors together are at most `shard_bytes`, else
/// model-00001-of-0000N.safetensors … in the order given, each at most that large unless one tensor is larger alone,
/// and model.safetensors.index.json, last. Errors as write_safetensors.
void write_sharded_safetensors(const std::filesystem::path& folder, const std::vector<TensorDeclaration>& tensors,
                               const std::map<std::string, std::string>& metadata, std::size_t shard_bytes,
                               const TensorProducer& producer);

}  // namespace retort::model
