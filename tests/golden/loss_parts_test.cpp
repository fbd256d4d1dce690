// What must hold for every distillation loss, whatever its formula. Each line is one test, over all losses
// (policy_parts_test.cpp has those of the other interfaces):
//  1. A step's loss is the sum of its parts': 8 calls of one sequence, 2 of four and 1 of eight give the same value,
//     gradients and metrics, with sequences of unequal lengths. (TRL issue 4719, PR 6024: normalised by micro-batch.)
//  2. What the mask leaves out does not exist: NaN there changes nothing, and its gradients are exactly 0. (TRL PR
//  5594.)
//  3. A step of which the mask leaves nothing has a loss of 0 and gradients of exactly 0.
//  4. A distillation loss is 0 where the teacher is the student, and not where the teacher is one row ahead. (TRL PR
//     6191: log-probabilities shifted by one.)
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "loss_properties.h"

namespace retort::golden {

namespace {

class DistillLoss : public ::testing::TestWithParam<Variant> {
 protected:
  const LoadedComponent loss{GetParam().library, GetParam().parameters};
};

TEST_P(DistillLoss, PartsAddUp) {
  expect_parts_to_add_up(DistillStep(), loss, std::size_t{8});
}

TEST_P(DistillLoss, MaskedRowsDoNotExist) {
  DistillStep step;
  const Outcome before = step.call(loss, 0, step.sequences());
  for (std::int64_t n = 0; n < step.rows(); ++n) {
    if (step.mask[static_cast<std::size_t>(n)] != 0) continue;
    step.student[static_cast<std::size_t>(n * step.vocabulary)] = unknown;
    for (auto& states : step.student_hidden) states[static_cast<std::size_t>(n * step.student_width)] = unknown;
    for (auto& states : step.teacher_hidden) states[static_cast<std::size_t>(n * step.teacher_width)] = unknown;
    const float* const gradient = before.gradients.at("logits").data() + n * step.vocabulary;
    for (std::int64_t v = 0; v < step.vocabulary; ++v) EXPECT_EQ(gradient[v], 0.0F) << n;
  }
  expect_same(step.call(loss, 0, step.sequences()), before);
}

TEST_P(DistillLoss, NothingIsLearntFromNothing) {
  DistillStep step;
  step.mask.assign(step.mask.size(), 0.0F);
  expect_zero(step.call(loss, 0, step.sequences()));
}

TEST_P(DistillLoss, TheStudentItselfTeachesNothingAndAShiftByOneDoes) {
  DistillStep step(DistillStep::student_width);
  step.teach_the_student(false);
  const auto divergence = [&] {  // less what is learnt from labels
    const Outcome outcome = step.call(loss, 0, step.sequences());
    const auto labels = outcome.metrics.find("ce");
    return outcome.loss - (labels == outcome.metrics.end() ? 0 : .5 * labels->second);
  };
  EXPECT_NEAR(divergence(), 0, 1e-5);
  step.teach_the_student(true);
  EXPECT_GT(divergence(), .5);
}

const std::int64_t three = 3;
INSTANTIATE_TEST_SUITE_P(All, DistillLoss,
                         ::testing::Values(Variant{"forward_kl", FORWARD_KL_PLUGIN, {{"temperature", 2.0}}},
                                           Variant{"forward_kl_with_labels", FORWARD_KL_PLUGIN, {{"ce_weight", .5}}},
                                           Variant{"forward_kl_top_k", FORWARD_KL_PLUGIN, {{"top_k", three}}},
                                           Variant{"reverse_kl", REVERSE_KL_PLUGIN, {{"temperature", 2.0}}},
                                           Variant{"reverse_kl_bucket", REVERSE_KL_PLUGIN, {{"top_k", three}}},
                                           Variant{"reverse_kl_both_renormalised",
                                                   REVERSE_KL_PLUGIN,
                                                   {{"top_k", three}, {"tail", std::string("both_renormalise")}}},
                                           Variant{"hidden_cosine", HIDDEN_PLUGIN, {}},
                                           Variant{"hidden_mse_alone",
                                                   HIDDEN_PLUGIN,
                                                   {{"distance", std::string("mse")}, {"kl_weight", 0.0}}},
                                           Variant{"cpp_template", CPP_TEMPLATE_PLUGIN, {}},
                                           Variant{"c_template", C_TEMPLATE_PLUGIN, {}}),
                         name_of);

}  // namespace

}  // namespace retort::golden
