// attend() over the blocked cache against the reference, for lengths around block borders and odd head sizes.
#include "runtime/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "random_model.h"
#include "runtime/reference_kernels.h"

namespace retort::runtime {
namespace {

TEST(Attend, EqualsReferenceForRangesAroundBlockBorders) {
  for (const std::int64_t head_dim : {2, 8, 10, 16, 33, 64}) {
    constexpr std::int64_t context = 130;
    KvCache cache(2, 3, head_dim, context);
    std::mt19937 random(11);
    std::vector<Row> keys, values;
    for (std::int64_t position = 0; position < context; ++position) {
      keys.push_back(testing::random_values(head_dim, random));
      values.push_back(testing::random_values(head_dim, random));
      cache.store(1, 2, position, keys.back().data(), values.back().data(), 1.0f);
    }
    AlignedBuffer<float> scratch(attention_scratch(context));
    const Row query = testing::random_values(head_dim, random);
    Row scaled = query;
    for (float& value : scaled) value /= std::sqrt(static_cast<float>(head_dim));
    for (const std::int64_t end : {1, 2, 31, 32, 33, 64, 65, 130}) {
      for (const std::int64_t window : {1, 7, 32, 33, 130}) {
        const std::int64_t first = std::max<std::int64_t>(0, end - window);
        Row out(query.size());
        attend(scaled.data(), cache, 1, 2, {first, end}, scratch.data(), out.data());
        const Row expected = ref_attend(query, {keys.begin() + first, keys.begin() + end},
                                        {values.begin() + first, values.begin() + end});
        for (std::size_t d = 0; d < out.size(); ++d) {
          ASSERT_NEAR(out[d], expected[d], 2e-6f) << "head_dim " << head_dim << ", [" << first << "," << end << ")";
        }
      }
    }
  }
}

TEST(KvCache, ScalesTheValueButNotTheKey) {
  KvCache cache(1, 1, 3, 40);
  const Row key{1, 2, 3}, value{4, 5, 6};
  cache.store(0, 0, 33, key.data(), value.data(), 0.5f);
  EXPECT_EQ(cache.keys(0, 0)[1 * kKeyBlock * 3 + 2 * kKeyBlock + 1], 3.0f);
  EXPECT_EQ(cache.values(0, 0)[33 * kValueLanes + 2], 3.0f);
}

TEST(KvCache, PlanesOfLayersAndHeadsDoNotOverlap) {
  constexpr std::int64_t layers = 2, heads = 3, dim = 5, context = 34;
  KvCache cache(layers, heads, dim, context);
  const auto mark = [](std::int64_t layer, std::int64_t head, std::int64_t position) {
    return static_cast<float>(layer * 1000 + head * 100 + position);
  };
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t position = 0; position < context; ++position) {
        const Row row(dim, mark(layer, head, position));
        cache.store(layer, head, position, row.data(), row.data(), 1.0f);
      }
    }
  }
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t position = 0; position < context; ++position) {
        const std::int64_t key = position / kKeyBlock * kKeyBlock * dim + (dim - 1) * kKeyBlock + position % kKeyBlock;
        ASSERT_EQ(cache.keys(layer, head)[key], mark(layer, head, position));
        ASSERT_EQ(cache.values(layer, head)[position * kValueLanes + dim - 1], mark(layer, head, position));
      }
    }
  }
}

}  // namespace
}  // namespace retort::runtime
