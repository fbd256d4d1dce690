// A checkpoint of llama2.c, read as `retort import` reads it.
#include <cstdint>
#include <stdexcept>

#include "exchange/llama2c_source.h"
#include "model/llama2c_file.h"
#include "read_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const retort::model::Llama2cFile file({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    retort::fuzz::read_source(retort::exchange::Llama2cSource(file));
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
