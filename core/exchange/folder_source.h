// The weights of a Hugging Face folder, quantised ones with their scales applied or as codes.
#pragma once

#include <map>
#include <string>

#include "exchange/weight_source.h"
#include "model/model_folder.h"

namespace retort::exchange {

/// Borrows `folder`.
class FolderSource final : public WeightSource {
 public:
  explicit FolderSource(const model::ModelFolder& folder);

  const model::ModelConfig& config() const override { return folder_->config(); }
  model::DataType float_type(const std::string& name) const override;
  void read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const override;
  std::optional<CodedRow> read_codes(const std::string& name, std::int64_t row) const override;

 private:
  const model::LinearWeight* quantised(const std::string& name) const;  ///< null for a float tensor
  const model::ModelFolder* folder_;
  std::map<std::string, model::LinearWeight> quantised_;  ///< by "<module>.weight"
};

}  // namespace retort::exchange
