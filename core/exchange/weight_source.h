// What a conversion reads: a model's shape and its weights under their Hugging Face names, a few rows at a time,
// whatever file they come from. The sinks are folder_export.h and gguf_export.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/model_config.h"
#include "model/stored_tensor.h"

namespace retort::exchange {

/// A weight as rows and columns; a vector of n is n rows of one column.
struct Extent {
  std::int64_t rows = 0, columns = 1;
};
Extent extent_of(const std::vector<std::int64_t>& shape);

/// Integer codes of one row with the scales of its groups, w = code · scale[column / group_size].
struct CodedRow {
  int bits = 8;  ///< 8: [−128, 127]; 4: [−8, 7]
  std::vector<std::int8_t> codes;
  std::int64_t group_size = 0;  ///< columns that share a scale
  std::vector<float> scales;
};

/// Names are those of model::tensor_shapes(config()); others throw std::invalid_argument. [one thread]
class WeightSource {
 public:
  WeightSource() = default;
  virtual ~WeightSource() = default;
  WeightSource(const WeightSource&) = delete;
  WeightSource& operator=(const WeightSource&) = delete;

  virtual const model::ModelConfig& config() const = 0;
  /// The floating type that holds the tensor's values without loss: its own, or f32 for a quantised one.
  virtual model::DataType float_type(const std::string& name) const = 0;
  /// Rows [first, first + rows) in Hugging Face's order, as f32, into `values` [rows·columns]. Memory that was mapped
  /// for them is given back.
  virtual void read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const = 0;
  /// Integer codes, where the source stores the row as such.
  virtual std::optional<CodedRow> read_codes(const std::string& name, std::int64_t row) const;
};

/// Told how many bytes of how many are written; may throw to give up.
using ProgressReport = std::function<void(std::int64_t done, std::int64_t total)>;

/// Calls `piece(first, rows)` for consecutive pieces of a tensor: about a million elements, and a multiple of
/// `granularity` rows, so that memory stays small.
void for_each_piece(Extent extent, std::int64_t granularity,
                    const std::function<void(std::int64_t first, std::int64_t rows)>& piece);

}  // namespace retort::exchange
