// Reads checkpoints of llama2.c (https://github.com/karpathy/llama2.c, export.py): version 0, a bare header of seven
// int32, and version 1, which begins with "ak42"; both f32. Not its int8 version 2, and not the tokenizer beside it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/model_config.h"

namespace retort::model {

/// One tensor; the file keeps each kind for all layers in a row. `data` is borrowed, f32, not necessarily aligned.
struct Llama2cTensor {
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
};

/// An opened checkpoint; views stay valid as long as it lives. Safe to share between threads.
class Llama2cFile {
 public:
  /// Maps `path` and checks header and size: the format has no other redundancy. Throws std::invalid_argument naming
  /// file, place, expected and found, and std::runtime_error where the file cannot be opened.
  explicit Llama2cFile(const std::filesystem::path& path);
  /// The same for a file in memory, which is borrowed; `origin` is what errors call it.
  Llama2cFile(std::span<const std::byte> content, const std::string& origin);
  ~Llama2cFile();
  Llama2cFile(Llama2cFile&&) noexcept;

  /// RoPE with theta 10000, norm epsilon 1e-5, tokens 1 and 2 as begin and end: what run.c has compiled in.
  const ModelConfig& config() const;
  /// By Hugging Face name. Rows of q_proj and k_proj stand as the file has them, neighbours (2i, 2i+1) turned together.
  /// Throws std::invalid_argument for a name that the model does not have.
  const Llama2cTensor& tensor(const std::string& name) const;
  /// Gives back the memory that a part of a tensor's data takes once read (MappedFile::release).
  void release(const std::byte* begin, std::size_t bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::model
