// Unpacked int4 panels against the dequantised weights, value by value where oneDNN's layout has them.
#include "runtime/linear/unpacking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "random_linear.h"
#include "runtime/kernels/aligned_buffer.h"
#include "runtime/linear/packing.h"

namespace retort::runtime {
namespace {

using model::DataType;
using UnpackedShape = std::tuple<std::int64_t, std::int64_t>;  // in, out

class UnpackingSizes : public ::testing::TestWithParam<UnpackedShape> {};

TEST_P(UnpackingSizes, Int4ValuesStandWhereTheLayoutSaysAndZerosBehindThem) {
  const auto [in, out] = GetParam();
  std::mt19937 random(3);
  for (const std::int64_t group : {0, 32, 64, 128}) {
    for (const DataType scales : {DataType::f32, DataType::f16, DataType::bf16}) {
      const testing::RandomLinear linear(in, out, group, scales, random);
      const LinearWeights weights = linear.weights();
      const std::vector<float> expected = dequantized(weights);
      Int4Panels panels{nullptr, out, (in + weights.group_size - 1) / weights.group_size, weights.group_size,
                        scale_type(weights)};
      AlignedBuffer<std::byte> packed(panels.panel_bytes() * panels.panels());
      panels.data = packed.data();
      pack_int4(weights, panels, packed.data());
      const std::int64_t stride = (in + 15) / 16 * 16 + 16, panel_values = stride * kPanelColumns;
      std::vector<float> unpacked(static_cast<std::size_t>(panels.panels() * panel_values) + 1, 12345.0f);
      unpack_int4(panels, 0, panels.panels(), in, stride, unpacked.data());
      EXPECT_EQ(unpacked.back(), 12345.0f) << "written past the end";
      for (std::int64_t n = 0; n < out; ++n) {
        const float* column = &unpacked[static_cast<std::size_t>(n / kPanelColumns * panel_values + n % kPanelColumns)];
        for (std::int64_t k = 0; k < stride; ++k)
          ASSERT_EQ(column[k * kPanelColumns], k < in ? expected[static_cast<std::size_t>(n * in + k)] : 0.0f)
              << "column " << n << ", value " << k;
      }
    }
  }
}

TEST_P(UnpackingSizes, Bf16BecomesF32InPanels) {
  const auto [in, out] = GetParam();
  std::mt19937 random(5);
  const testing::RandomLinear linear(WeightForm::bf16, in, out, random);
  const std::vector<float> expected = dequantized(linear.weights());
  const std::int64_t words = (in + 1) / 2, all = panels_of(out);
  AlignedBuffer<std::byte> packed(all * words * kPanelColumns * 4);
  pack_floats(linear.weights(), WeightForm::bf16, words, packed.data());
  const std::int64_t stride = (in + 15) / 16 * 16 + 16, panel_values = stride * kPanelColumns;
  std::vector<float> unpacked(static_cast<std::size_t>(all * panel_values) + 1, 12345.0f);
  for (std::int64_t panel = 0; panel < all; ++panel)
    unpack_bf16({packed.data(), out, in, words}, panel, stride, unpacked.data() + panel * panel_values);
  EXPECT_EQ(unpacked.back(), 12345.0f) << "written past the end";
  for (std::int64_t n = 0; n < all * kPanelColumns; ++n) {
    const float* column = &unpacked[static_cast<std::size_t>(n / kPanelColumns * panel_values + n % kPanelColumns)];
    for (std::int64_t k = 0; k < stride; ++k)
      ASSERT_EQ(column[k * kPanelColumns], n < out && k < in ? expected[static_cast<std::size_t>(n * in + k)] : 0.0f)
          << "column " << n << ", value " << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Awkward, UnpackingSizes,
                         ::testing::Values(UnpackedShape{1, 1}, UnpackedShape{7, 63}, UnpackedShape{64, 64},
                                           UnpackedShape{70, 97}, UnpackedShape{97, 70}, UnpackedShape{128, 129},
                                           UnpackedShape{150, 333}, UnpackedShape{257, 65}));

TEST(Unpacking, Int4PanelsOfTheMiddleAreWhatTheyAreOfAll) {
  std::mt19937 random(4);
  const testing::RandomLinear linear(100, 320, 64, DataType::bf16, random);
  const LinearWeights weights = linear.weights();
  Int4Panels panels{nullptr, 320, 2, 64, scale_type(weights)};
  AlignedBuffer<std::byte> packed(panels.panel_bytes() * panels.panels());
  panels.data = packed.data();
  pack_int4(weights, panels, packed.data());
  constexpr std::int64_t kStride = 112, kPanel = kStride * kPanelColumns;
  std::vector<float> all(5 * kPanel), middle(2 * kPanel);
  unpack_int4(panels, 0, 5, 100, kStride, all.data());
  unpack_int4(panels, 2, 4, 100, kStride, middle.data());
  EXPECT_TRUE(std::equal(middle.begin(), middle.end(), all.begin() + 2 * kPanel));
}

}  // namespace
}  // namespace retort::runtime
