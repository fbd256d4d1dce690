// distill.alm: "alm_binary" (float64; arXiv 2503.20083, tokenkit training/losses.py:232-275 without its epsilon), and
// central differences.
#include "alm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "reference_losses.h"

namespace retort::golden {
namespace {

using distill::alm;
using distill::AlmLoss;
using distill::AlmOptions;

TEST(AlmGolden, BinaryCrossEntropyOfPieces) {
  EXPECT_NEAR(alm({1, false, 1e-6}, -.8, -1.3).loss, .759342907354, 1e-12);
  EXPECT_NEAR(alm({1, true, 1e-6}, -.8, -1.3).loss, .0713396606354, 1e-12);
  EXPECT_NEAR(alm({100, false, 1e-6}, -.8, -1.3).loss, .0475519987667, 1e-12);
}

TEST(AlmGolden, OtherPiecesAndTemperatures) {  // Python, math.exp and math.log
  EXPECT_NEAR(alm({5, true, 1e-6}, -2.5, -.4).loss, .3876783953187, 1e-12);
  EXPECT_NEAR(alm({5, true, 1e-6}, -2.5, -.4).by_student, .8235448545826, 1e-12);
  EXPECT_NEAR(alm({20, false, 1e-6}, -.1, -3).loss, .1590831864137, 1e-12);
  EXPECT_NEAR(alm({20, false, 1e-6}, -.1, -3).by_student, -.04820968901186, 1e-12);
}

TEST(Alm, DerivativesMatchCentralDifferences) {
  for (const double temperature : {1.0, 5.0, 100.0})
    for (const double student : {-.05, -1.3, -40.0}) {
      const AlmOptions options{temperature, true, 1e-6};
      const auto loss = [&](const std::vector<double>& x) { return alm(options, -.8, x[0]).loss; };
      const double expected = central_differences(loss, {student})[0];
      EXPECT_NEAR(alm(options, -.8, student).by_student, expected, 1e-6 * (1 + std::abs(expected)))
          << temperature << ", " << student;
    }
}

TEST(Alm, AgreementIsZeroAndCertaintyFinite) {
  EXPECT_NEAR(alm({}, -2.5, -2.5).loss, 0, 1e-15);
  EXPECT_NEAR(alm({}, -2.5, -2.5).by_student, 0, 1e-15);
  const AlmLoss sure = alm({}, -2.5, 0), never = alm({}, 0, -1e4);
  EXPECT_TRUE(std::isfinite(sure.loss));
  EXPECT_EQ(sure.by_student, 0);
  EXPECT_NEAR(never.loss, 100, 1e-2);  // −log b = 1e4 / 100
  EXPECT_NEAR(never.by_student, -.01, 1e-6);
}

}  // namespace
}  // namespace retort::golden
