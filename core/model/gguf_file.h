// Reads GGUF files (versions 2 and 3, little-endian), mapped or from memory: metadata, and tensors as stored.
// Not what they mean (exchange/gguf_config.h) nor their values (gguf_blocks.h).
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/gguf_blocks.h"
#include "model/gguf_metadata.h"

namespace retort::model {

/// `shape` is row-major, the reverse of the file's order: a linear layer's weight is [out,in]. `data` is borrowed.
struct GgufTensor {
  std::string name;
  GgmlType type = GgmlType::f32;
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};

/// An opened file; views stay valid as long as it lives. Safe to share between threads.
class GgufFile {
 public:
  /// Maps `path` and checks everything but the values of tensors: magic, version, every key, every tensor's type,
  /// shape, alignment and place (inside the file, no overlap). Throws std::invalid_argument naming file, place,
  /// expected and found, and std::runtime_error where the file cannot be opened.
  explicit GgufFile(const std::filesystem::path& path);
  /// The same for a file in memory, which is borrowed; `origin` is what errors call it.
  GgufFile(std::span<const std::byte> content, const std::string& origin);
  ~GgufFile();
  GgufFile(GgufFile&&) noexcept;

  const std::string& origin() const;
  const GgufMetadata& metadata() const;
  const std::vector<GgufTensor>& tensors() const;  ///< in file order
  const GgufTensor* find(const std::string& name) const;
  /// Gives back the memory that a part of a tensor's data takes once read (MappedFile::release).
  void release(const std::byte* begin, std::size_t bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::model
