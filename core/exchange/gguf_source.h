// The weights of a GGUF file under their Hugging Face names.
#pragma once

#include <filesystem>
#include <memory>

#include "exchange/weight_source.h"
#include "model/gguf_file.h"

namespace retort::exchange {

/// Refuses a GGUF file that is no whole model by what it is: one of several parts, an adapter, a vocabulary, …
void require_model(const model::GgufFile& file);

/// Borrows `file`. The constructor checks that every tensor of the model is there with its shape, and that there is no
/// other: a tensor that nobody reads would change the maths silently. Throws std::invalid_argument: file, tensor,
/// expected, found.
class GgufSource final : public WeightSource {
 public:
  explicit GgufSource(const model::GgufFile& file);

  const model::ModelConfig& config() const override { return config_; }
  model::DataType float_type(const std::string& name) const override;
  void read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const override;

 private:
  const model::GgufTensor& tensor(const std::string& name) const;
  const model::GgufFile* file_;
  model::ModelConfig config_;
};

}  // namespace retort::exchange
