// What zero points take off a product, against plain loops, for every type of scale.
#include "runtime/linear/zero_points.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "random_linear.h"
#include "runtime/kernels/aligned_buffer.h"
#include "runtime/linear/packing.h"

namespace retort::runtime {
namespace {

using model::DataType;

TEST(ZeroPoints, TakeOffWhatPlainLoopsTakeOff) {
  std::mt19937 random(9);
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    for (const auto& [in, out, group] : {std::tuple{64, 1, 64}, {96, 65, 32}, {640, 200, 128}, {100, 130, 64}}) {
      testing::RandomLinear linear(in, out, group, type, random);
      linear.make_asymmetric(random);
      if (type == DataType::f32) linear.negate_some_scales();
      const LinearWeights weights = linear.weights();
      Int4Panels panels{nullptr, out, (in + group - 1) / group, weights.group_size, scale_type(weights)};
      AlignedBuffer<std::byte> packed(panels.panel_bytes() * panels.panels());
      pack_int4(weights, panels, packed.data());
      panels.data = packed.data();
      const std::vector<std::int8_t> zeros = panel_zero_points(weights, panels);
      panels.zeros = zeros.data();
      constexpr std::int64_t kRows = 7;
      std::vector<std::int32_t> sums(static_cast<std::size_t>(2 * kRows * panels.groups));
      for (std::int32_t& sum : sums) sum = static_cast<std::int32_t>(random() % 32513U) - 16256;
      std::vector<float> fast(static_cast<std::size_t>(kRows * out), 1.0f), slow = fast;
      const PanelSpan span{panels.panels() > 1 ? 1 : 0, panels.panels()};
      subtract_zero_points(panels, span, kRows, sums.data(), fast.data());
      ref_subtract_zero_points(panels, span, kRows, sums.data(), slow.data());
      // Each group's term is at most 0.02 · 8 · 2.1e6, and is rounded a few times.
      const float tolerance = 3.4e5f * 2.4e-7f * static_cast<float>(panels.groups);
      float largest = 0;
      for (std::size_t i = 0; i < fast.size(); ++i) {
        ASSERT_NEAR(fast[i], slow[i], tolerance) << i;
        largest = std::max(largest, std::fabs(slow[i] - 1.0f));
        if (static_cast<std::int64_t>(i) % out < span.first * kPanelColumns) {
          ASSERT_EQ(fast[i], 1.0f);
        }
      }
      EXPECT_GT(largest, 1e3f);
      // A row has the same bits alone.
      std::vector<float> alone(static_cast<std::size_t>(out), 1.0f);
      subtract_zero_points(panels, span, 1, sums.data() + 2 * 5 * panels.groups, alone.data());
      EXPECT_EQ(alone, std::vector<float>(fast.begin() + 5 * out, fast.begin() + 6 * out));
    }
  }
}

}  // namespace
}  // namespace retort::runtime
