// What `retort import` reads of a model, without files: every tensor, a row at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "exchange/weight_source.h"
#include "model/model_folder.h"

namespace retort::fuzz {

inline void read_source(const exchange::WeightSource& source) {
  std::vector<float> values;
  for (const auto& [name, shape] : model::tensor_shapes(source.config())) {
    const exchange::Extent extent = exchange::extent_of(shape);
    exchange::for_each_piece(extent, 1, [&, &tensor = name](std::int64_t first, std::int64_t rows) {
      values.resize(static_cast<std::size_t>(rows * extent.columns));
      source.read(tensor, first, rows, values);
    });
  }
}

}  // namespace retort::fuzz
