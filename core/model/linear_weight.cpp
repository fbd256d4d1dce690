// The layout was checked against compressed-tensors 0.20, compressors/pack_quantized/helpers.py.
#include "model/linear_weight.h"

#include <cstring>
#include <stdexcept>
#include <string>

namespace retort::model {

namespace {

constexpr int int4_offset = 8;

void require_codes(const char* what, std::span<const std::int8_t> codes, std::int64_t out, std::int64_t in) {
  if (out < 0 || in < 0 || static_cast<std::int64_t>(codes.size()) != out * in)
    throw std::invalid_argument(std::string(what) + ": expected " + std::to_string(out) + " x " + std::to_string(in) +
                                " codes, found " + std::to_string(codes.size()));
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (codes[i] < -int4_offset || codes[i] >= int4_offset)
      throw std::invalid_argument(std::string(what) + ": code " + std::to_string(i) + ": expected -8 to 7, found " +
                                  std::to_string(codes[i]));
}

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
  const std::vector<std::int8_t> zeros = zero_points_of(weight);
  // A group never crosses a row's end, because group_size divides the row.
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(codes[i] - (zeros.empty() ? 0 : zeros[i / width])) * scales[i / width];
  return values;
}

int zero_point(const LinearWeight& weight, std::int64_t row, std::int64_t group) {
  if (weight.zero_point == nullptr) return 0;
  const std::int64_t groups = weight.zero_point->shape[1];
  std::uint32_t word = 0;
  std::memcpy(&word, weight.zero_point->data + (row / 8 * groups + group) * 4, sizeof(word));
  return static_cast<int>((word >> (4 * (row % 8))) & 0xFU) - int4_offset;
}

std::vector<std::int8_t> zero_points_of(const LinearWeight& weight) {
  std::vector<std::int8_t> zeros;
  if (weight.zero_point == nullptr) return zeros;
  for (std::int64_t row = 0; row < weight.shape[0]; ++row)
    for (std::int64_t group = 0; group < weight.zero_point->shape[1]; ++group)
      zeros.push_back(static_cast<std::int8_t>(zero_point(weight, row, group)));
  return zeros;
}

std::vector<std::int32_t> pack_int4(std::span<const std::int8_t> codes, std::int64_t out, std::int64_t in) {
  require_codes("pack_int4", codes, out, in);
  const auto columns = static_cast<std::size_t>(in), words = static_cast<std::size_t>(packed_int4_columns(in));
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(out) * words);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t row = i / columns, column = i % columns;
    packed[row * words + column / 8] |= static_cast<std::uint32_t>(codes[i] + int4_offset) << (4 * (column % 8));
  }
  return {packed.begin(), packed.end()};
}

std::vector<std::int32_t> pack_zero_points(std::span<const std::int8_t> zero_points, std::int64_t out,
                                           std::int64_t groups) {
  require_codes("pack_zero_points", zero_points, out, groups);
  const auto columns = static_cast<std::size_t>(groups);
  std::vector<std::uint32_t> packed(static_cast<std::size_t>(packed_int4_columns(out)) * columns);
  for (std::size_t i = 0; i < zero_points.size(); ++i) {
    const std::size_t row = i / columns, column = i % columns;
    packed[row / 8 * columns + column] |= static_cast<std::uint32_t>(zero_points[i] + int4_offset) << (4 * (row % 8));
  }
  return {packed.begin(), packed.end()};
}

}  // namespace retort::model
