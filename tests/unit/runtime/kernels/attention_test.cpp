// attend() over the blocked cache against the reference: ranges around block borders, tiles of every size, odd head
// sizes, scattered blocks, each type of cache; and that a query does not depend on its neighbours in the tile.
#include "runtime/kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "random_model.h"
#include "runtime/kernels/bfloat16.h"
#include "runtime/kernels/reference_kernels.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kContext = 130;

/// What the cache can hold of a vector: rounded to bf16, or to codes of one scale.
Row as_stored(Row x, KvType type) {
  if (type == KvType::bf16)
    for (float& value : x) value = from_bfloat16(to_bfloat16(value));
  if (type != KvType::int8) return x;
  const RefQuantizedRow quantized = ref_quantize_row(x);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(quantized.codes[i]) * quantized.scale;
  return x;
}

/// One sequence of kContext positions in blocks that do not follow each other, with NaN in all the others.
class Filled {
 public:
  Filled(std::int64_t head_dim, KvType type) : cache(2, 3, head_dim, 12, type) {
    std::mt19937 random(11);
    const Row broken(static_cast<std::size_t>(head_dim), NAN);
    std::vector<BlockId> every(12);
    std::iota(every.begin(), every.end(), 0);
    for (std::int64_t position = 0; type == KvType::f32 && position < 12 * kBlockTokens; ++position)
      cache.store(1, 2, {every.data(), position}, broken.data(), broken.data(), 1.0f);
    for (std::int64_t position = 0; position < kContext; ++position) {
      const Row key = testing::random_values(head_dim, random), value = testing::random_values(head_dim, random);
      cache.store(1, 2, {blocks.data(), position}, key.data(), value.data(), 0.5f);
      keys.push_back(as_stored(key, type));
      Row half = value;
      for (float& x : half) x *= 0.5f;
      values.push_back(as_stored(half, type));
    }
  }
  Row expected(const Row& query, PositionRange range) const {
    return ref_attend(query, {keys.begin() + range.first, keys.begin() + range.end},
                      {values.begin() + range.first, values.begin() + range.end});
  }
  /// Queries as they come, before division by sqrt(head_dim).
  std::vector<Row> attend_all(const std::vector<Row>& queries, const std::vector<PositionRange>& ranges) const {
    std::vector<Row> scaled = queries, out(queries.size(), Row(queries[0].size()));
    QueryTile tile;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      for (float& value : scaled[q]) value /= std::sqrt(static_cast<float>(cache.head_dim()));
      tile.queries.at(q) = scaled[q].data();
      tile.ranges.at(q) = ranges[q];
      tile.out.at(q) = out[q].data();
    }
    tile.count = static_cast<std::int64_t>(queries.size());
    AlignedBuffer<float> scratch(attention_scratch(cache.head_dim()));
    attend(tile, cache, 1, 2, blocks.data(), scratch.data());
    return out;
  }

  KvCache cache;
  std::vector<BlockId> blocks{7, 2, 9, 0, 5};
  std::vector<Row> keys, values;
};

class Attend : public ::testing::TestWithParam<std::tuple<KvType, std::int64_t>> {};

TEST_P(Attend, EqualsReferenceForRangesAroundBlockBorders) {
  const auto [type, head_dim] = GetParam();
  const Filled filled(head_dim, type);
  std::mt19937 random(12);
  for (const std::int64_t end : {1, 2, 31, 32, 33, 64, 65, 130}) {
    for (const std::int64_t window : {1, 7, 32, 33, 130}) {
      const PositionRange range{std::max<std::int64_t>(0, end - window), end};
      const Row query = testing::random_values(head_dim, random);
      const Row out = filled.attend_all({query}, {range})[0], expected = filled.expected(query, range);
      for (std::size_t d = 0; d < out.size(); ++d)
        ASSERT_NEAR(out[d], expected[d], 2e-6f) << "positions " << range.first << " to " << end;
    }
  }
}

TEST_P(Attend, TilesOfEverySizeGiveTheBitsOfSingleQueries) {
  const auto [type, head_dim] = GetParam();
  const Filled filled(head_dim, type);
  std::mt19937 random(13);
  for (std::int64_t count = 1; count <= kQueryTile; ++count) {
    std::vector<Row> queries;
    std::vector<PositionRange> ranges;
    for (std::int64_t q = 0; q < count; ++q) {
      queries.push_back(testing::random_values(head_dim, random));
      ranges.push_back({q % 3 == 2 ? 40 : 0, 60 + 9 * q});  // windows, and ends in different blocks
    }
    const std::vector<Row> together = filled.attend_all(queries, ranges);
    for (std::size_t q = 0; q < queries.size(); ++q)
      ASSERT_EQ(together[q], filled.attend_all({queries[q]}, {ranges[q]})[0]) << count << " queries, query " << q;
  }
}

TEST_P(Attend, ScoresFarApartStayFinite) {
  const auto [type, head_dim] = GetParam();
  const Filled filled(head_dim, type);
  Row query = filled.keys[70];
  for (float& value : query) value *= 1000;  // one position, or a few, takes all the weight
  const Row out = filled.attend_all({query}, {{0, kContext}})[0], expected = filled.expected(query, {0, kContext});
  for (std::size_t d = 0; d < out.size(); ++d) ASSERT_NEAR(out[d], expected[d], 1e-3f);
}

INSTANTIATE_TEST_SUITE_P(Types, Attend,
                         ::testing::Combine(::testing::Values(KvType::f32, KvType::bf16, KvType::int8),
                                            ::testing::Values(2, 8, 10, 16, 33, 64, 96)),
                         [](const auto& kind) {
                           const KvType type = std::get<0>(kind.param);
                           const char* name = type == KvType::f32 ? "f32_" : type == KvType::bf16 ? "bf16_" : "int8_";
                           return name + std::to_string(std::get<1>(kind.param));
                         });

TEST(KvCache, ScalesTheValueButNotTheKey) {
  KvCache cache(1, 1, 3, 4, KvType::f32);
  const Row key{1, 2, 3}, value{4, 5, 6};
  const std::vector<BlockId> blocks{0, 2};
  cache.store(0, 0, {blocks.data(), 33}, key.data(), value.data(), 0.5f);
  const auto* keys = reinterpret_cast<const float*>(cache.plane(0, 0).keys);
  const auto* values = reinterpret_cast<const float*>(cache.plane(0, 0).values);
  EXPECT_EQ(keys[2 * kBlockTokens * 3 + 2 * kBlockTokens + 1], 3.0f);
  EXPECT_EQ(values[(2 * kBlockTokens + 1) * kValueLanes + 2], 3.0f);
}

TEST(KvCache, PlanesOfLayersAndHeadsDoNotOverlap) {
  constexpr std::int64_t layers = 2, heads = 3, dim = 5, context = 34;
  KvCache cache(layers, heads, dim, 2, KvType::f32);
  const std::vector<BlockId> blocks{1, 0};
  const auto mark = [](std::int64_t layer, std::int64_t head, std::int64_t position) {
    return static_cast<float>(layer * 1000 + head * 100 + position);
  };
  const auto each = [&](const auto& visit) {
    for (std::int64_t layer = 0; layer < layers; ++layer)
      for (std::int64_t head = 0; head < heads; ++head)
        for (std::int64_t position = 0; position < context; ++position) visit(layer, head, position);
  };
  each([&](std::int64_t layer, std::int64_t head, std::int64_t position) {
    const Row row(dim, mark(layer, head, position));
    cache.store(layer, head, {blocks.data(), position}, row.data(), row.data(), 1.0f);
  });
  each([&](std::int64_t layer, std::int64_t head, std::int64_t position) {
    const std::int64_t block = blocks[static_cast<std::size_t>(position / kBlockTokens)];
    const std::int64_t slot = position % kBlockTokens;
    const auto* keys = reinterpret_cast<const float*>(cache.plane(layer, head).keys);
    const auto* values = reinterpret_cast<const float*>(cache.plane(layer, head).values);
    ASSERT_EQ(keys[block * kBlockTokens * dim + (dim - 1) * kBlockTokens + slot], mark(layer, head, position));
    ASSERT_EQ(values[(block * kBlockTokens + slot) * kValueLanes + dim - 1], mark(layer, head, position));
  });
}

TEST(KvCache, TypesTakeTheBytesTheySay) {
  EXPECT_EQ(KvCache(2, 3, 64, 4, KvType::f32).bytes_per_token(), 2 * 3 * 2 * 64 * 4);
  EXPECT_EQ(KvCache(2, 3, 64, 4, KvType::bf16).bytes_per_token(), 2 * 3 * 2 * 64 * 2);
  EXPECT_EQ(KvCache(2, 3, 64, 4, KvType::int8).bytes_per_token(), 2 * 3 * 2 * (64 + 4));
  EXPECT_EQ(concrete(KvType::automatic, kBf16Parameters - 1), KvType::f32);
  EXPECT_EQ(concrete(KvType::automatic, kBf16Parameters), KvType::bf16);
  EXPECT_EQ(concrete(KvType::int8, 1), KvType::int8);
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.0f)), 1.0f);
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.0f + 1.0f / 256)), 1.0f);              // halfway, to the even one below
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.0f + 3.0f / 256)), 1.0f + 1.0f / 64);  // halfway, to the even one above
  EXPECT_EQ(from_bfloat16(to_bfloat16(-3.14159f)), -3.140625f);
}

}  // namespace
}  // namespace retort::runtime
