#include "train/compression_check.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace retort::train {
namespace {

/// The first element whose exponent has all bits set: an infinity or no number.
template <typename Bits>
std::optional<std::size_t> not_finite(const model::StoredTensor& tensor, Bits exponent) {
  const auto count = static_cast<std::size_t>(tensor.elements());
  for (std::size_t i = 0; i < count; ++i) {
    Bits bits = 0;
    std::memcpy(&bits, tensor.data + i * sizeof bits, sizeof bits);
    if ((bits & exponent) == exponent) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> not_finite(const model::StoredTensor& tensor) {
  switch (tensor.type) {
    case model::DataType::f32:
      return not_finite<std::uint32_t>(tensor, 0x7F800000U);
    case model::DataType::f16:
      return not_finite<std::uint16_t>(tensor, 0x7C00U);
    case model::DataType::bf16:
      return not_finite<std::uint16_t>(tensor, 0x7F80U);
    default:
      return std::nullopt;
  }
}

}  // namespace

void expect_float_weights(const model::ModelFolder& source, const std::string& whose, const RunHooks& hooks) {
  if (source.quantized())
    throw std::invalid_argument(source.path().string() + ": " + whose +
                                " wants floating-point weights, found a model that is quantised already "
                                "(quantization_config of config.json); quantise last, and give the model from before");
  for (const auto& [name, shape] : model::tensor_shapes(source.config())) {
    hooks.throw_if_stopped();
    const model::StoredTensor& tensor = source.tensor(name);
    if (const auto found = not_finite(tensor)) {
      const auto columns = static_cast<std::size_t>(shape.back());
      throw std::runtime_error(source.path().string() + ": " + name + ", row " + std::to_string(*found / columns) +
                               ", column " + std::to_string(*found % columns) +
                               ": expected finite weights, found one that is not; " + whose +
                               " would spread it over the model");
    }
    source.release(tensor, 0, tensor.bytes());
  }
}

void expect_known_tokens(const std::vector<Sequence>& sequences, const text::Tokenizer& tokenizer,
                         const model::ModelFolder& source) {
  const std::int64_t rows = source.config().vocabulary_size;
  for (const Sequence& sequence : sequences)
    for (const auto& part : {sequence.prompt, sequence.response})
      for (const text::TokenId token : part)
        if (token < 0 || token >= rows)
          throw std::invalid_argument((source.path() / "tokenizer.json").string() + ": token " + std::to_string(token) +
                                      " (\"" + std::string(tokenizer.token(token)) +
                                      "\") of the calibration data has no row in the model, which has " +
                                      std::to_string(rows) + ": the tokenizer is another model's");
}

}  // namespace retort::train
