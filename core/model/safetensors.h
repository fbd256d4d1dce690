// Reads (mmap) and writes the safetensors format: https://github.com/huggingface/safetensors#format.
// Sharded folders are model_folder.h's concern; models larger than memory are written by safetensors_writer.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/stored_tensor.h"

namespace retort::model {

/// An opened file, mapped or from memory. Views stay valid as long as the object lives. Safe to share between threads.
class SafetensorsFile {
 public:
  /// Maps `path` and checks the whole header: size, JSON, offsets (in range, no overlap, no hole), shapes and types.
  /// Throws std::runtime_error naming the file, the tensor, what was expected and what was found.
  explicit SafetensorsFile(const std::filesystem::path& path);
  /// The same for a file in memory, which is borrowed; `origin` is what errors call it.
  SafetensorsFile(std::span<const std::byte> content, const std::string& origin);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  const std::vector<StoredTensor>& tensors() const;  ///< in file order
  const StoredTensor* find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const;
  /// Gives back the memory that bytes [first, first + bytes) of `tensor`, one of this file's, take once read
  /// (MappedFile::release). Its data stays readable.
  void release(const StoredTensor& tensor, std::size_t first, std::size_t bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes `tensors` from memory; order and errors as safetensors_writer.h has them. Throws std::invalid_argument for
/// missing data too.
void write_safetensors(const std::filesystem::path& path, const std::vector<StoredTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace retort::model
