// prune.depth: the three measures on layers whose answer is known.
#include "depth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>

namespace retort::golden {

namespace {

using Layers = std::vector<std::int64_t>;

TEST(DepthGolden, InfluenceIsBlindToScaleAndLossIsNot) {
  // Golden "block_influence_is_scale_blind": h0 = I, h1 turns by 45° and stretches by √2, h2 = 3·h1: influences
  // .292893 and 0. Influence takes the layer that triples the stream.
  const double states[3][2][2] = {{{1, 0}, {0, 1}}, {{1, 1}, {-1, 1}}, {{3, 3}, {-3, 3}}};
  std::vector<float> influence;
  for (int layer = 0; layer < 2; ++layer) {
    double cosines = 0;
    for (int row = 0; row < 2; ++row) {
      const double *in = states[layer][row], *out = states[layer + 1][row];
      cosines += (in[0] * out[0] + in[1] * out[1]) / std::hypot(in[0], in[1]) / std::hypot(out[0], out[1]) / 2;
    }
    influence.push_back(static_cast<float>(1 - cosines));
  }
  EXPECT_NEAR(static_cast<double>(influence[0]), .292893218813, 1e-7);
  EXPECT_NEAR(static_cast<double>(influence[1]), 0, 1e-7);
  EXPECT_EQ(prune::keep_by_influence({}, influence), (Layers{0}));
  const auto loss = [](const Layers& kept) { return kept.front() == 0 ? 2.0 : 1.0; };
  EXPECT_EQ(prune::keep_by_loss({}, 2, loss).kept, (Layers{1}));
}

TEST(Depth, LeastInfluenceGoesAndOfEqualsTheLater) {
  const std::vector<float> influence{.3f, .1f, .2f, .1f, .05f, .4f};
  EXPECT_EQ(prune::keep_by_influence({2}, influence), (Layers{0, 1, 2, 5}));
  EXPECT_EQ(prune::keep_by_influence({3}, influence), (Layers{0, 2, 5}));
  EXPECT_EQ(prune::keep_by_influence({2, 2, 2}, influence), (Layers{0, 1, 4, 5}));
  EXPECT_EQ(prune::keep_by_influence({0}, influence), (Layers{0, 1, 2, 3, 4, 5}));
}

TEST(Depth, TheMostSimilarBlockGoesAsAWhole) {
  // similarity(i, i+1) of five layers: .5, .9, .7, .9.
  const float pairs[] = {.5f, .9f, .7f, .9f};
  std::set<std::string> asked;
  const auto similarity = [&](std::int64_t i, std::int64_t j) {
    asked.insert(std::to_string(i) + "-" + std::to_string(j));
    return pairs[i];
  };
  EXPECT_EQ(prune::keep_by_similarity({2}, 5, similarity), (Layers{0, 1, 2}));
  EXPECT_EQ(asked, (std::set<std::string>{"0-1", "1-2", "2-3", "3-4"}));
  EXPECT_EQ(prune::keep_by_similarity({2, 0, 1}, 5, similarity), (Layers{0, 3, 4}));
  EXPECT_EQ(prune::keep_by_similarity({2, 2, 1}, 5, similarity), (Layers{0, 1, 4}));
}

TEST(Depth, GreedyRemovalLooksAgainAfterEachLayer) {
  // Layers 1 and 2 do the same: alone each is free, together they cost 10. Layer 3 costs 1, the others 5.
  int calls = 0;
  const auto loss = [&](const Layers& kept) {
    ++calls;
    const std::set<std::int64_t> left(kept.begin(), kept.end());
    double sum = left.count(1) + left.count(2) == 0 ? 10 : 0;
    for (const std::int64_t layer : {0, 3, 4}) sum += left.count(layer) == 0 ? (layer == 3 ? 1 : 5) : 0;
    return sum;
  };
  const prune::GreedyDepth found = prune::keep_by_loss({2}, 5, loss);
  EXPECT_EQ(found.kept, (Layers{0, 1, 4}));
  EXPECT_EQ(found.losses, (std::vector<double>{0, 1}));
  EXPECT_EQ(calls, 9);
}

TEST(Depth, NeverAllLayersNorProtectedOnes) {
  const std::vector<float> influence(4, .1f);
  EXPECT_EQ(prune::keep_by_influence({3}, influence).size(), 1u);
  EXPECT_THROW(prune::keep_by_influence({4}, influence), std::invalid_argument);
  EXPECT_THROW(prune::keep_by_influence({3, 1, 1}, influence), std::invalid_argument);
  EXPECT_THROW(prune::check_depth({1, 3, 3}, 4), std::invalid_argument);
  EXPECT_THROW(prune::keep_by_loss({2}, 2, [](const Layers&) { return 0.0; }), std::invalid_argument);
}

TEST(Depth, RefusesWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(prune::keep_by_influence({}, std::vector<float>{.1f, nan}), std::invalid_argument);
  EXPECT_THROW(prune::keep_by_similarity({}, 2, [&](std::int64_t, std::int64_t) { return nan; }),
               std::invalid_argument);
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_THROW(prune::keep_by_loss({}, 2, [&](const Layers&) { return infinite; }), std::runtime_error);
  EXPECT_EQ(prune::keep_by_loss({}, 2, [&](const Layers& kept) { return kept[0] == 0 ? 3 : infinite; }).kept,
            (Layers{0}));
}

}  // namespace

}  // namespace retort::golden
