// A GGUF file, as a model's configuration and weights and as a tokenizer: every byte that the header promises is read.
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "exchange/gguf_source.h"
#include "exchange/token_settings.h"
#include "exchange/vocabulary.h"
#include "model/gguf_file.h"
#include "read_source.h"
#include "text/gguf_tokenizer.h"

namespace {

using namespace retort;

void read_values(const model::GgufFile& file) {
  std::vector<float> values;
  for (const model::GgufTensor& tensor : file.tensors()) {
    values.resize(tensor.bytes / model::block_bytes(tensor.type) * model::block_elements(tensor.type));
    model::dequantise(tensor.type, tensor.data, values);
  }
}

/// What `retort import` does, without files.
void read_as_model(const model::GgufFile& file) {
  const exchange::GgufSource source(file);
  fuzz::read_source(source);
  model::GgufMetadata metadata = file.metadata();
  exchange::drop_tokens_without_rows(metadata, source.config().vocabulary_size);
  exchange::token_settings_from_gguf(metadata, source.config(), "fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const model::GgufFile file({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    read_values(file);
    try {
      text::Tokenizer::parse(text::tokenizer_json_from_gguf(file.metadata(), "fuzz"), "fuzz");
    } catch (const std::invalid_argument&) {  // a model need not have a tokenizer
    }
    read_as_model(file);
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
