// preference.orpo, and more numbers of IPO and SimPO: computed in float64 outside this project (Python, math.log and
// math.exp, from the papers' equations). The pair is preference_pair.h's.
#include "orpo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "central_differences.h"
#include "preference_pair.h"

namespace retort::golden {

namespace {

using preference::DpoOptions;
using preference::Form;
using preference::orpo_loss;
using preference::pair_loss;
using preference::PairLoss;

TEST(OrpoGolden, LikelihoodAndOddsRatio) {
  PairLoss found = orpo_loss(.1, chosen, rejected);
  EXPECT_NEAR(found.loss, 1.788148055702, 1e-11);
  EXPECT_NEAR(found.nll, 1.775, 1e-12);
  EXPECT_NEAR(found.by_chosen, -.126854323024, 1e-9);
  EXPECT_NEAR(found.by_rejected, .002534730947, 1e-9);
  found = orpo_loss(1, chosen, rejected);
  EXPECT_NEAR(found.loss, 1.906480557019, 1e-11);
  EXPECT_NEAR(found.by_chosen, -.143543230324, 1e-9);
}

TEST(Orpo, DerivativesMatchCentralDifferences) {
  const auto loss = [](const std::vector<double>& x) { return orpo_loss(.7, {x[0], 0, 8}, {x[1], 0, 5}).loss; };
  for (const std::vector<double>& at : {std::vector<double>{-14.2, -17.9}, {-.4, -30}, {-60, -.2}}) {
    const PairLoss found = orpo_loss(.7, {at[0], 0, 8}, {at[1], 0, 5});
    const auto expected = central_differences(loss, at);
    EXPECT_NEAR(found.by_chosen, expected[0], 1e-7);
    EXPECT_NEAR(found.by_rejected, expected[1], 1e-7);
  }
}

TEST(Orpo, CertainAnswersAndEmptyOnes) {
  const PairLoss sure = orpo_loss(.1, {0, 0, 4}, {0, 0, 4});
  EXPECT_TRUE(std::isfinite(sure.loss));
  EXPECT_NEAR(sure.by_chosen, -.25, 1e-12);  // the likelihood alone
  EXPECT_THROW(orpo_loss(.1, {-1, 0, 0}, rejected), std::invalid_argument);
}

TEST(SimPoGolden, OtherScalesAndMargins) {
  DpoOptions options;
  options.reference = false;
  options.by_length = true;
  options.beta = 2;
  options.margin = 1;
  EXPECT_NEAR(pair_loss(options, chosen, rejected).loss, .070956516452, 1e-11);
  EXPECT_NEAR(pair_loss(options, chosen, rejected).by_chosen, -.017124400931, 1e-9);
  options.beta = 2.5;
  options.margin = .5;
  EXPECT_NEAR(pair_loss(options, chosen, rejected).loss, .017926474665, 1e-11);
}

TEST(IpoGolden, AnotherTau) {
  DpoOptions options;
  options.form = Form::ipo;
  options.beta = .5;  // (2.2 − 1)²
  EXPECT_NEAR(pair_loss(options, chosen, rejected).loss, 1.44, 1e-12);
  EXPECT_NEAR(pair_loss(options, chosen, rejected).by_chosen, 2.4, 1e-12);
}

}  // namespace

}  // namespace retort::golden
