// preference.kto: numbers computed in float64 outside this project (Python, math.exp, from equation 8), and central
// differences. The answers are dpo_test.cpp's: r = 0.8 of the good one, −1.4 of the bad one.
#include "kto.h"

#include <gtest/gtest.h>

#include "central_differences.h"

namespace retort::golden {
namespace {

using preference::kto_loss;
using preference::KtoOptions;
using preference::SequenceLoss;

TEST(KtoGolden, GoodAndBadAnswers) {
  const SequenceLoss good = kto_loss({}, true, -14.2, -15.0), bad = kto_loss({}, false, -17.9, -16.5);
  EXPECT_NEAR(good.loss, .480010659844, 1e-12);
  EXPECT_NEAR(good.by_log_prob, -.024960042628, 1e-12);
  EXPECT_NEAR(good.reward, .08, 1e-12);
  EXPECT_NEAR(bad.loss, .465057054842, 1e-12);
  EXPECT_NEAR(bad.by_log_prob, .024877899058, 1e-12);
  EXPECT_NEAR(bad.reward, -.14, 1e-12);
}

TEST(KtoGolden, WeightsAndReferencePoint) {
  const KtoOptions options{.1, 1.5, .5, .4};
  const SequenceLoss good = kto_loss(options, true, -14.2, -15.0), bad = kto_loss(options, false, -17.9, -16.5);
  EXPECT_NEAR(good.loss, .735001999680, 1e-12);
  EXPECT_NEAR(good.by_log_prob, -.037485003999, 1e-12);
  EXPECT_NEAR(bad.loss, .227560553813, 1e-12);
  EXPECT_NEAR(bad.by_log_prob, .012399294251, 1e-12);
}

TEST(Kto, DerivativesMatchCentralDifferences) {
  const KtoOptions options{.7, 1.2, .8, .3};
  for (const bool good : {true, false}) {
    const auto loss = [&](const std::vector<double>& x) { return kto_loss(options, good, x[0], -15).loss; };
    EXPECT_NEAR(kto_loss(options, good, -14.2, -15).by_log_prob, central_differences(loss, {-14.2})[0], 1e-8);
  }
}

TEST(Kto, FarApartNeitherOverflowsNorLosesItsSign) {
  EXPECT_EQ(kto_loss({}, true, -9e4, 0).loss, 1);
  EXPECT_EQ(kto_loss({}, true, 0, -9e4).loss, 0);
  EXPECT_EQ(kto_loss({}, false, -9e4, 0).loss, 0);
  EXPECT_EQ(kto_loss({}, false, 0, -9e4).by_log_prob, 0);
}

}  // namespace
}  // namespace retort::golden
