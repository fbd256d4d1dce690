// A checkpoint of llama2.c, read as `retort import` reads it.
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "exchange/llama2c_source.h"
#include "model/llama2c_file.h"
#include "model/model_folder.h"

namespace {

using namespace retort;

/// What `retort import` does, without files.
void read_as_model(std::span<const std::byte> content) {
  const model::Llama2cFile file(content, "fuzz");
  const exchange::Llama2cSource source(file);
  std::vector<float> values;
  for (const auto& [name, shape] : model::tensor_shapes(source.config())) {
    const exchange::Extent extent = exchange::extent_of(shape);
    exchange::for_each_piece(extent, 1, [&, &tensor = name](std::int64_t first, std::int64_t rows) {
      values.resize(static_cast<std::size_t>(rows * extent.columns));
      source.read(tensor, first, rows, values);
    });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read_as_model({reinterpret_cast<const std::byte*>(data), size});
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
