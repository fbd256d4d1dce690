// The layout was checked against compressed-tensors 0.20, compressors/pack_quantized/helpers.py.
#include "model/linear_weight.h"

#include <cstring>
#include <stdexcept>

namespace retort::model {

namespace {

constexpr int int4_offset = 8;

}  // namespace

std::vector<std::int8_t> codes_of(const LinearWeight& weight) {
  const auto [out, in] = weight.shape;
  const auto columns = static_cast<std::size_t>(in);
  std::vector<std::int8_t> codes(static_cast<std::size_t>(out) * columns);
  if (codes.empty()) return codes;
  if (weight.bits == 8) {
    std::memcpy(codes.data(), weight.weight->data, codes.size());
    return codes;
  }
  if (weight.bits != 4) throw std::invalid_argument("tensor '" + weight.weight->name + "': has no codes, it is float");
  const std::size_t words = static_cast<std::size_t>(packed_int4_columns(in));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t row = i / columns, column = i % columns;
    std::uint32_t word = 0;
    std::memcpy(&word, weight.weight->data + (row * words + column / 8) * sizeof(word), sizeof(word));
    codes[i] = static_cast<std::int8_t>(static_cast<int>((word >> (4 * (column % 8))) & 0xFU) - int4_offset);
  }
  return codes;
}

std::vector<float> to_f32(const LinearWeight& weight) {
  if (!weight.quantized()) return to_f32(*weight.weight);
  const std::vector<std::int8_t> codes = codes_of(weight);
  const std::vector<float> scales = to_f32(*weight.scale);
  const auto width = static_cast<std::size_t>(weight.group_size > 0 ? weight.group_size : weight.shape[1]);
  std::vector<float> values(codes.size());
  // A group never crosses a row's end, because group_size divides the row.
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(codes[i]) * scales[i / width];
  return values;
}

std::vector<std::int32_t> pack_int4(std::span<const std::int8_t> codes, std::int64_t out, std::int64_t in) {
  if (out < 0 || in < 0 || static_cast<std::int64_t>(codes.size()) != out * in)
    throw std::invalid_argument("pack_int4: expected " + std::to_string(out) + " x " + std::to_string(in) +
                                " codes, found " + std::to_string(codes.size()));
  const auto columns = static_cast<std::size_t>(in), words = static_cast<std::size_t>(packed_int4_columns(in));
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(out) * words);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] < -int4_offset || codes[i] >= int4_offset)
      throw std::invalid_argument("pack_int4: code " + std::to_string(i) + ": expected -8 to 7, found " +
                                  std::to_string(codes[i]));
    const std::size_t row = i / columns, column = i % columns;
    packed[row * words + column / 8] |= static_cast<std::uint32_t>(codes[i] + int4_offset) << (4 * (column % 8));
  }
  return {packed.begin(), packed.end()};
}

}  // namespace retort::model
