// The weights of a llama2.c checkpoint in Hugging Face's order of rows.
#pragma once

#include "exchange/weight_source.h"
#include "model/llama2c_file.h"

namespace retort::exchange {

/// Borrows `file`.
class Llama2cSource final : public WeightSource {
 public:
  explicit Llama2cSource(const model::Llama2cFile& file) : file_(&file) {}

  const model::ModelConfig& config() const override { return file_->config(); }
  model::DataType float_type(const std::string& name) const override;
  void read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const override;

 private:
  const model::Llama2cFile* file_;
};

}  // namespace retort::exchange
