// See random_linear.h.
#include "random_linear.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "runtime/kernels/bfloat16.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime::testing {
namespace {

/// A normal f16 near `value`, which is in [2⁻¹⁴, 1): the last bits are cut off.
std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits >> 13U) - (112U << 10U));
}

}  // namespace

void* RandomLinear::own(model::StoredTensor& tensor, model::DataType type, std::vector<std::int64_t> shape) {
  tensor = {"test.weight", type, std::move(shape)};
  owned_.emplace_back(tensor.bytes());
  tensor.data = owned_.back().data();
  return owned_.back().data();
}

void RandomLinear::make_scales(std::vector<std::int64_t> shape, model::DataType type, std::mt19937& random) {
  std::uniform_real_distribution<float> scale(0.001f, 0.02f);
  void* data = own(scale_, type, std::move(shape));
  for (std::int64_t i = 0; i < scale_.elements(); ++i) {
    const float value = scale(random);
    if (type == model::DataType::f32) static_cast<float*>(data)[i] = value;
    if (type == model::DataType::f16) static_cast<std::uint16_t*>(data)[i] = to_half(value);
    if (type == model::DataType::bf16) static_cast<std::uint16_t*>(data)[i] = to_bfloat16(value);
  }
  weight_.scale = &scale_;
}

RandomLinear::RandomLinear(WeightForm form, std::int64_t in, std::int64_t out, std::mt19937& random) {
  weight_.weight = &tensor_;
  weight_.shape = {out, in};
  if (form == WeightForm::int8) {
    weight_.bits = 8;
    auto* codes = static_cast<std::int8_t*>(own(tensor_, model::DataType::i8, {out, in}));
    for (std::int64_t i = 0; i < in * out; ++i) codes[i] = static_cast<std::int8_t>(random() & 255U);
    make_scales({out, 1}, model::DataType::f32, random);
    return;
  }
  std::normal_distribution<float> normal(0.0f, 1.0f / std::sqrt(static_cast<float>(in)));
  const bool bf16 = form == WeightForm::bf16;
  void* data = own(tensor_, bf16 ? model::DataType::bf16 : model::DataType::f32, {out, in});
  for (std::int64_t i = 0; i < in * out; ++i) {
    if (bf16) {
      static_cast<std::uint16_t*>(data)[i] = to_bfloat16(normal(random));
    } else {
      static_cast<float*>(data)[i] = normal(random);
    }
  }
}

RandomLinear::RandomLinear(std::int64_t in, std::int64_t out, std::int64_t group, model::DataType scale_type,
                           std::mt19937& random) {
  weight_ = {&tensor_, nullptr, 4, group, {out, in}};
  const std::int64_t words = model::packed_int4_columns(in);
  auto* codes = static_cast<std::uint32_t*>(own(tensor_, model::DataType::i32, {out, words}));
  for (std::int64_t i = 0; i < out * words; ++i) codes[i] = static_cast<std::uint32_t>(random());
  if (in % 8 != 0) {  // the format leaves the bits behind the last column 0
    for (std::int64_t row = 1; row <= out; ++row) codes[row * words - 1] &= (1U << (4 * (in % 8))) - 1U;
  }
  make_scales({out, group == 0 ? 1 : (in + group - 1) / group}, scale_type, random);
}

void RandomLinear::make_asymmetric(std::mt19937& random) {
  const std::int64_t groups = scale_.shape[1];
  std::vector<std::int8_t> zeros(static_cast<std::size_t>(weight_.shape[0] * groups));
  for (std::int8_t& zero : zeros) zero = static_cast<std::int8_t>(static_cast<int>(random() % 16U) - 8);
  const std::vector<std::int32_t> packed = model::pack_zero_points(zeros, weight_.shape[0], groups);
  void* data = own(zero_point_, model::DataType::i32, {model::packed_int4_columns(weight_.shape[0]), groups});
  std::memcpy(data, packed.data(), zero_point_.bytes());
  weight_.zero_point = &zero_point_;
}

void RandomLinear::negate_some_scales() {
  auto* scales = reinterpret_cast<float*>(const_cast<std::byte*>(scale_.data));
  for (std::int64_t i = 0; i < scale_.elements(); i += 3) scales[i] = -scales[i];
}

std::vector<std::int8_t> RandomLinear::codes() const {
  std::vector<std::int8_t> codes = model::codes_of(weight_);
  const std::vector<std::int8_t> zeros = model::zero_points_of(weight_);
  if (zeros.empty()) return codes;
  const auto in = static_cast<std::size_t>(weight_.shape[1]);
  const std::size_t width = weight_.group_size > 0 ? static_cast<std::size_t>(weight_.group_size) : in;
  const std::size_t groups = (in + width - 1) / width;
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::int8_t>(codes[i] - zeros[i / in * groups + i % in / width]);
  return codes;
}

WideCodes wide_codes(const std::vector<float>& x) {
  const auto count = static_cast<std::int64_t>(x.size());
  std::vector<std::int8_t> high(x.size()), low(x.size());
  WideCodes result{std::vector<std::int32_t>(x.size())};
  result.scale = quantize_row_wide(x.data(), count, max_abs(x.data(), count), high.data(), low.data());
  for (std::size_t i = 0; i < x.size(); ++i) result.codes[i] = 128 * high[i] + low[i];
  return result;
}

}  // namespace retort::runtime::testing
