// prune.width: Minitron's norm, parameter counts of published models, sizes and choices.
#include "width.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace retort::golden {

namespace {

using prune::Shape;
using prune::WidthOptions;

TEST(WidthGolden, MinitronNorm) {
  // sqrt(Σ_batch (mean_seq |a|)²) (arXiv 2407.14679, section 2.2) of a[seq][batch][channel]. The host computes the
  // norms; this pins down the order of the two reductions that the signal is defined by.
  const double a[2][2][3] = {{{1, -2, 0}, {3, 0, 1}}, {{0, 2, -4}, {2, 2, 0}}};
  const double expected[] = {2.549510, 2.236068, 2.061553};
  for (int channel = 0; channel < 3; ++channel) {
    double squares = 0;
    for (int batch = 0; batch < 2; ++batch) {
      double mean = 0;
      for (const auto& position : a) mean += std::abs(position[batch][channel]) / 2;
      squares += mean * mean;
    }
    EXPECT_NEAR(std::sqrt(squares), expected[channel], 1e-6);
  }
}

TEST(WidthGolden, ParameterCountsOfPublishedModels) {
  // karpathy/tinyllamas stories260K, HuggingFaceTB/SmolLM2-135M: sizes from their config.json.
  EXPECT_EQ((Shape{5, 8, 4, 8, 64, 172, 512, true}.parameters()), 260032);
  EXPECT_EQ((Shape{30, 9, 3, 64, 576, 1536, 49152, true}.parameters()), 134515008);
}

// L 4, H 6, K 2, head_dim 32, D 192, F 768, V 4096, tied: 2,950,848 parameters.
const Shape present{4, 6, 2, 32, 192, 768, 4096, true};

TEST(WidthGolden, AQuarterComesFromTheFeedForward) {
  // The largest multiple of 8 that leaves at most 75 %: 440 (2,195,136); 448 leaves 2,213,568 of 2,213,136 allowed.
  const Shape found = prune::narrowed({}, present);
  EXPECT_EQ(found.feed_forward, 440);
  EXPECT_EQ(found.hidden, 192);
  EXPECT_EQ(found.heads, 6);
  EXPECT_EQ(found.parameters(), 2195136);
}

TEST(WidthGolden, AHalfTakesFromTheHiddenSizeToo) {
  // The feed-forward stops at 312, the least multiple of 8 that is 40 % of 768; then hidden 144 leaves 48.3 %.
  WidthOptions options;
  options.remove = .5;
  const Shape found = prune::narrowed(options, present);
  EXPECT_EQ(found.feed_forward, 312);
  EXPECT_EQ(found.hidden, 144);
  EXPECT_EQ(found.parameters(), 1425168);
}

TEST(Width, EveryShareUpToTheLimitIsReachedAndNotOvershotByAStep) {
  for (int percent = 0; percent <= 60; ++percent) {
    WidthOptions options;
    options.remove = percent / 100.0;
    const Shape found = prune::narrowed(options, present);
    const double left = static_cast<double>(found.parameters()) / static_cast<double>(present.parameters());
    EXPECT_LE(left, 1 - options.remove + 1e-12) << percent;
    EXPECT_EQ(found.hidden % 8, 0);
    EXPECT_EQ(found.feed_forward % 8, 0);
    Shape step_back = found;
    if (found.hidden < present.hidden)
      step_back.hidden += 8;
    else if (found.feed_forward < present.feed_forward)
      step_back.feed_forward += 8;
    if (percent == 0) continue;
    EXPECT_GT(static_cast<double>(step_back.parameters()),
              (1 - options.remove) * static_cast<double>(present.parameters()))
        << percent;
  }
}

TEST(Width, HeadsAreTakenInGroupsAndLast) {
  WidthOptions options;
  options.remove = .05;
  options.prune_feed_forward = options.prune_hidden = false;
  options.prune_heads = true;
  const Shape found = prune::narrowed(options, present);
  EXPECT_EQ(found.kv_heads, 1);
  EXPECT_EQ(found.heads, 3);
}

TEST(Width, TargetsReplaceTheShare) {
  WidthOptions options;
  options.remove = .6;
  options.hidden = 160;
  const Shape found = prune::narrowed(options, present);
  EXPECT_EQ(found.hidden, 160);
  EXPECT_EQ(found.feed_forward, 768);
  options.hidden = 200;
  EXPECT_THROW(prune::narrowed(options, present), std::invalid_argument);
}

TEST(Width, AnImpossibleShareSaysWhatIsPossible) {
  WidthOptions options;
  options.remove = .5;
  options.prune_hidden = false;
  try {
    prune::narrowed(options, present);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("at most 0.356"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("prune_hidden"), std::string::npos);
  }
}

TEST(Width, StrongestAscendTiesGoToTheLowerIndex) {
  const std::vector<float> norms{1, 5, 3, 5, 3, 0};
  EXPECT_EQ(prune::strongest(norms, 3), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(prune::strongest(norms, 6), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_THROW(prune::strongest(std::vector<float>{1, NAN}, 1), std::invalid_argument);
  EXPECT_THROW(prune::strongest(std::vector<float>{1, -1}, 1), std::invalid_argument);
}

TEST(Width, AKvHeadHasTheNormsOfItsQueryHeads) {
  EXPECT_EQ(prune::kv_head_norms(std::vector<float>{1, 2, 3, 4, 5, 6}, 2), (std::vector<float>{6, 15}));
}

}  // namespace

}  // namespace retort::golden
