// The losses' built libraries, and the SDK's two templates, through the C ABI: parameters, requirements, tensors,
// metrics, errors. The numbers are those of the algorithms' own tests.
#include <gtest/gtest.h>
#include <retort/abi/distill.h>
#include <retort/abi/rl.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "loaded_plugin.h"
#include "reference_losses.h"

namespace retort::golden {

namespace {

const float not_written = std::numeric_limits<float>::quiet_NaN();

std::string text_of(retort_string text) {
  return {text.data, text.size};
}

template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

struct DistillCall {
  double loss = 0;
  MetricMap metrics;
};

DistillCall distill(const LoadedComponent& component, const retort_distill_batch& batch,
                    const retort_tensor* gradient) {
  DistillCall call;
  const retort_metric_sink sink = sink_into(call.metrics);
  retort_distill_result result{};
  result.struct_size = sizeof result;
  result.logits_gradient = gradient;
  result.metrics = &sink;
  throw_if_error(
      component.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE).loss(component.instance(), &batch, &result));
  call.loss = result.loss;
  return call;
}

retort_distill_teacher teacher_of(const Tensor<float>& logits, double weight = 1) {
  retort_distill_teacher teacher{};
  teacher.struct_size = sizeof teacher;
  teacher.weight = weight;
  teacher.logits = logits.view();
  return teacher;
}

retort_distill_batch batch_of(const Tensor<float>& student, const std::vector<retort_distill_teacher>& teachers) {
  retort_distill_batch batch{};
  batch.struct_size = sizeof batch;
  batch.student_logits = student.view();
  batch.teachers = teachers.data();
  batch.teacher_count = teachers.size();
  return batch;
}

TEST(ForwardKlPlugin, SumsRowsByMaskAndWritesEveryGradient) {
  const LoadedComponent component(FORWARD_KL_PLUGIN, {});
  EXPECT_EQ(text_of(component.description().id), "distill.forward_kl");
  const Tensor<float> student({2, 3}, {0, 1, 2, 3, 1, 0}), teacher({2, 3}, {1, 1, 0, 0, 1, 0}), mask({2}, {.5f, 0});
  Tensor<float> gradient({2, 3}, std::vector<float>(6, not_written));
  const std::vector<retort_distill_teacher> teachers{teacher_of(teacher)};
  retort_distill_batch batch = batch_of(student, teachers);
  batch.mask = mask.view();
  const DistillCall call = distill(component, batch, gradient.view());
  const auto p = softmax({1, 1, 0}), q = softmax({0, 1, 2});
  double kl = 0;
  for (std::size_t v = 0; v < 3; ++v) kl += p[v] * std::log(p[v] / q[v]);
  EXPECT_NEAR(call.loss, .5 * kl, 1e-6);
  EXPECT_NEAR(call.metrics.at("kl"), .5 * kl, 1e-6);
  EXPECT_GT(call.metrics.at("teacher_entropy"), 0);
  for (std::size_t v = 0; v < 3; ++v) {
    EXPECT_NEAR(static_cast<double>(gradient.values[v]), .5 * (q[v] - p[v]), 1e-6);
    EXPECT_EQ(gradient.values[3 + v], 0.0f);
  }
  EXPECT_NEAR(distill(component, batch, nullptr).loss, call.loss, 1e-12);  // value only
}

TEST(ForwardKlPlugin, SeveralTeachersCountByTheirWeights) {
  const LoadedComponent component(FORWARD_KL_PLUGIN, {{"ce_weight", .5}});
  const Tensor<float> student({1, 3}, {0, 1, 2}), first({1, 3}, {1, 1, 0}), second({1, 3}, {2, 0, 1});
  const Tensor<std::int64_t> labels({1}, {1});
  const auto loss_of = [&](const std::vector<retort_distill_teacher>& teachers, const retort_tensor* gradient) {
    retort_distill_batch batch = batch_of(student, teachers);
    batch.labels = labels.view();
    return distill(component, batch, gradient);
  };
  Tensor<float> both({1, 3}, std::vector<float>(3, not_written)), one = {{1, 3}, {0, 0, 0}}, two = {{1, 3}, {0, 0, 0}};
  const DistillCall call = loss_of({teacher_of(first, .25), teacher_of(second, .75)}, both.view());
  const DistillCall alone = loss_of({teacher_of(first)}, one.view()), other = loss_of({teacher_of(second)}, two.view());
  EXPECT_NEAR(call.loss, .25 * alone.loss + .75 * other.loss, 1e-6);
  EXPECT_NEAR(call.metrics.at("ce"), -std::log(softmax({0, 1, 2})[1]), 1e-6);  // once, not once a teacher
  for (std::size_t v = 0; v < 3; ++v)
    EXPECT_NEAR(both.values[v], .25f * one.values[v] + .75f * two.values[v], 1e-6f) << v;
  EXPECT_NE(refusal([&] { loss_of({}, nullptr); }).find("teachers: expected at least one"), std::string::npos);
}

TEST(ForwardKlPlugin, AsksForWhatItsParametersNeed) {
  const auto requirements = [](const Parameters& parameters) {
    const LoadedComponent component(FORWARD_KL_PLUGIN, parameters);
    retort_distill_requirements out{};
    out.struct_size = sizeof out;
    throw_if_error(component.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE)
                       .requirements(component.instance(), nullptr, &out));
    return out;
  };
  EXPECT_EQ(requirements({}).signals, RETORT_SIGNAL_TEACHER_LOGITS);
  EXPECT_EQ(requirements({{"ce_weight", .5}}).signals, RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_LABELS);
  const auto top = requirements({{"top_k", std::int64_t{64}}});
  EXPECT_EQ(top.signals, RETORT_SIGNAL_TEACHER_TOP_K);
  EXPECT_EQ(top.top_k, 64);
  EXPECT_NE(refusal([&] { requirements({{"top_k", std::int64_t{64}}, {"temperature", 2.0}}); }).find("temperature"),
            std::string::npos);
}

TEST(ForwardKlPlugin, TellsOnceOfABridgedVocabularyAndNamesTheRowOfAnError) {
  const LoadedComponent component(FORWARD_KL_PLUGIN, {});
  const Tensor<float> student({2, 2}, {0, 1, NAN, 1}), teacher({2, 3}, {1, 1, 0, 0, 1, 0}), mask({2}, {1, 0});
  const std::vector<retort_distill_teacher> teachers{teacher_of(teacher)};
  retort_distill_batch batch = batch_of(student, teachers);
  batch.mask = mask.view();
  take_log();
  distill(component, batch, nullptr);
  EXPECT_NE(take_log().find("student has 2 vocabulary columns, the teacher 3"), std::string::npos);
  distill(component, batch, nullptr);
  EXPECT_EQ(take_log(), "");
  batch.mask = nullptr;
  EXPECT_EQ(refusal([&] { distill(component, batch, nullptr); }).rfind("row 1: the loss is not finite", 0), 0u);
  const Tensor<float> one_row({1, 2}, {0, 1});
  const std::vector<retort_distill_teacher> short_teacher{teacher_of(one_row)};
  batch.teachers = short_teacher.data();
  EXPECT_NE(refusal([&] { distill(component, batch, nullptr); }).find("teacher logits: expected [2,any], found [1,2]"),
            std::string::npos);
}

TEST(GrpoPlugin, AdvantagesAndLossOfAStep) {
  const LoadedComponent component(GRPO_PLUGIN, {{"group_size", std::int64_t{4}}});
  const auto& functions = component.functions<retort_rl_v1>(RETORT_RL_INTERFACE);
  // Two prompts; the second one's rewards are equal. Rows have one or two tokens.
  const Tensor<float> rewards({8}, {1, 0, 0, 1, .5f, .5f, .5f, .5f});
  std::vector<float> ones(16, 1.0f);
  ones[3] = 0;  // sample 1 has one token
  const Tensor<float> mask({8, 2}, ones), log_probs({8, 2}, std::vector<float>(16, -1.0f));
  Tensor<float> advantages({8, 2}, std::vector<float>(16, not_written)), keep({8}, std::vector<float>(8, 1));
  retort_rl_batch batch{};
  batch.struct_size = sizeof batch;
  batch.rewards = rewards.view();
  batch.mask = mask.view();
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  retort_rl_advantages out{sizeof out, 0, advantages.view(), nullptr, keep.view(), &sink};
  throw_if_error(functions.advantages(component.instance(), &batch, &out));
  EXPECT_NEAR(advantages.values[0], .865875f, 1e-6f);
  EXPECT_NEAR(advantages.values[2], -.865875f, 1e-6f);
  EXPECT_EQ(advantages.values[3], 0.0f);  // masked
  EXPECT_EQ(keep.values, (std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_NEAR(metrics.at("mean_reward"), .5, 1e-12);
  EXPECT_EQ(metrics.at("dropped_groups"), 1);

  batch.log_probs = batch.old_log_probs = log_probs.view();
  batch.advantages = advantages.view();
  batch.update_rows = 8;
  batch.update_tokens = 15;
  batch.maximum_tokens = 2;
  Tensor<float> gradient({8, 2}, std::vector<float>(16, not_written));
  retort_rl_result result{sizeof result, 0, 0, gradient.view(), nullptr, nullptr, &sink};
  throw_if_error(functions.loss(component.instance(), &batch, &result));
  EXPECT_NEAR(result.loss, -.865875 * (2 - 1 - 2 + 2) / 15, 1e-6);  // ρ = 1: −ΣA over unmasked tokens / 15
  EXPECT_NEAR(gradient.values[0], -.865875f / 15, 1e-6f);
  EXPECT_EQ(gradient.values[3], 0.0f);
  EXPECT_EQ(metrics.at("clip_fraction"), 0);

  const Tensor<float> six({6}, std::vector<float>(6, 0.0f)), six_rows({6, 2}, std::vector<float>(12, 1.0f));
  batch.rewards = six.view();
  const auto refused = [&] {
    return refusal([&] { throw_if_error(functions.advantages(component.instance(), &batch, &out)); });
  };
  EXPECT_NE(refused().find("rewards: expected [8,1], found [6,1]"), std::string::npos);
  batch.mask = six_rows.view();
  out.advantages = six_rows.view();
  out.keep = nullptr;
  EXPECT_NE(refused().find("multiple of the group size 4, found 6 rows"), std::string::npos);
}

/// Value and gradient of the SDK's templates against their definitions.
void expect_template_loss(const std::string& library, const Parameters& parameters, const char* metric,
                          const std::function<double(const std::vector<double>&)>& reference) {
  const LoadedComponent component(library, parameters);
  const Tensor<float> student({1, 3}, {0, 1, 2}), teacher({1, 3}, {1, 1, 0}), mask({1}, {.5f});
  Tensor<float> gradient({1, 3}, std::vector<float>(3, not_written));
  const std::vector<retort_distill_teacher> teachers{teacher_of(teacher)};
  retort_distill_batch batch = batch_of(student, teachers);
  batch.mask = mask.view();
  const DistillCall call = distill(component, batch, gradient.view());
  EXPECT_NEAR(call.loss, .5 * reference({0, 1, 2}), 1e-9);
  EXPECT_NEAR(call.metrics.at(metric), call.loss, 1e-12);
  const auto expected = central_differences(reference, {0, 1, 2});
  for (std::size_t v = 0; v < 3; ++v) EXPECT_NEAR(static_cast<double>(gradient.values[v]), .5 * expected[v], 1e-6) << v;
}

TEST(SdkTemplates, CppDistillationLoss) {
  expect_template_loss(CPP_TEMPLATE_PLUGIN, {{"temperature", 2.0}}, "reverse_kl", [](const std::vector<double>& z) {
    const auto q = softmax(z, 2), p = softmax({1, 1, 0}, 2);
    double kl = 0;
    for (std::size_t v = 0; v < 3; ++v) kl += q[v] * std::log(q[v] / p[v]);
    return kl;
  });
}

TEST(SdkTemplates, PlainCDistillationLoss) {
  expect_template_loss(C_TEMPLATE_PLUGIN, {{"scale", 3.0}}, "logit_mse", [](const std::vector<double>& z) {
    const double teacher[] = {1, 1, 0};
    double sum = 0;
    for (std::size_t v = 0; v < 3; ++v) sum += 1.5 * (z[v] - teacher[v]) * (z[v] - teacher[v]);
    return sum;
  });
  const LoadedComponent component(C_TEMPLATE_PLUGIN, {});
  const Tensor<float> student({1, 3}, {0, 1, 2}), narrow({1, 2}, {0, 1});
  const std::vector<retort_distill_teacher> narrow_teacher{teacher_of(narrow)};
  EXPECT_NE(
      refusal([&] { distill(component, batch_of(student, narrow_teacher), nullptr); }).find("shape of student_logits"),
      std::string::npos);
  EXPECT_NE(refusal([&] { distill(component, batch_of(student, {}), nullptr); }).find("one teacher"),
            std::string::npos);
}

}  // namespace

}  // namespace retort::golden
