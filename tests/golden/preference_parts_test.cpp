// What must hold for every preference loss, whatever its formula. Each line is one test, over all of them:
//  1. A step's loss is the sum of its parts': 8 calls of one pair, 2 of four and 1 of eight give the same value,
//     gradients and metrics, with answers of unequal lengths.
//  2. A pair without weight does not exist: NaN there changes nothing, and its gradients are exactly 0; a step of such
//     pairs alone has a loss of 0.
//  3. Gradients are those of central differences.
//  4. A reference that was asked for and is not there is refused by name.
#include <gtest/gtest.h>

#include <cmath>

#include "loss_parts.h"

namespace retort::golden {

namespace {

class PreferenceLoss : public ::testing::TestWithParam<Variant> {
 protected:
  const LoadedComponent loss{GetParam().library, GetParam().parameters};
};

TEST_P(PreferenceLoss, PartsAddUp) {
  expect_parts_to_add_up(PreferenceStep(), loss, std::int64_t{8});
}

TEST_P(PreferenceLoss, PairsWithoutWeightDoNotExist) {
  PreferenceStep step;
  const Outcome before = step.call(loss, 0, PreferenceStep::pairs);
  for (std::size_t i = 0; i < step.weights.size(); ++i) {
    if (step.weights[i] != 0) continue;
    step.chosen[i] = step.rejected[i] = step.reference_chosen[i] = unknown;
    step.chosen_lengths[i] = 0;
    for (const auto& [name, values] : before.gradients) EXPECT_EQ(values[i], 0.0F) << name;
  }
  expect_same(step.call(loss, 0, PreferenceStep::pairs), before);
  step.weights.assign(step.weights.size(), 0.0F);
  expect_zero(step.call(loss, 0, PreferenceStep::pairs));
}

TEST_P(PreferenceLoss, GradientsMatchCentralDifferences) {
  PreferenceStep step;
  const Outcome outcome = step.call(loss, 0, PreferenceStep::pairs);
  for (auto* input : {&step.chosen, &step.rejected}) {
    const auto& gradient = outcome.gradients.at(input == &step.chosen ? "chosen" : "rejected");
    for (std::size_t i = 0; i < input->size(); ++i) {
      const float middle = (*input)[i];
      const auto loss_at = [&](float to) {
        (*input)[i] = to;
        return step.call(loss, 0, PreferenceStep::pairs).loss;
      };
      const double above = loss_at(middle + 1e-2F), high = static_cast<double>((*input)[i]);
      const double below = loss_at(middle - 1e-2F), low = static_cast<double>((*input)[i]);
      (*input)[i] = middle;
      const double expected = (above - below) / (high - low);
      EXPECT_NEAR(static_cast<double>(gradient[i]), expected, 1e-4 * (1 + std::abs(expected))) << i;
    }
  }
}

TEST_P(PreferenceLoss, AMissingReferenceIsRefusedByName) {
  PreferenceStep step;
  step.without_reference = true;
  if (!PreferenceStep::wants_reference(loss)) {
    EXPECT_TRUE(std::isfinite(step.call(loss, 0, PreferenceStep::pairs).loss));  // it never looks
    return;
  }
  try {
    step.call(loss, 0, PreferenceStep::pairs);
    FAIL() << "a loss that asked for a reference did without";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("reference_chosen_log_probs"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(All, PreferenceLoss,
                         ::testing::Values(Variant{"dpo", DPO_PLUGIN, {}},
                                           Variant{"cdpo", DPO_PLUGIN, {{"label_smoothing", .1}}},
                                           Variant{"dpo_by_length", DPO_PLUGIN, {{"length_normalised", true}}},
                                           Variant{"ipo", IPO_PLUGIN, {}},
                                           Variant{"ipo_by_length", IPO_PLUGIN, {{"length_normalised", true}}},
                                           Variant{"simpo", SIMPO_PLUGIN, {}},
                                           Variant{"orpo", ORPO_PLUGIN, {{"lambda", .5}}},
                                           Variant{"kto", KTO_PLUGIN, {}}),
                         name_of);

}  // namespace

}  // namespace retort::golden
