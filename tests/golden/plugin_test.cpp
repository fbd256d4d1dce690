// The built plugin libraries, and the SDK's two templates, through the C ABI: parameters, requirements, tensors,
// metrics, errors. The numbers are those of the algorithms' own tests.
#include <gtest/gtest.h>
#include <retort/abi/distill.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/rl.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

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
  throw_if_error(component.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE)
                     .loss(component.instance(), &batch, &call.loss, gradient, nullptr, &sink));
  return call;
}

retort_distill_batch batch_of(const Tensor<float>& student, const Tensor<float>& teacher) {
  retort_distill_batch batch{};
  batch.struct_size = sizeof batch;
  batch.student_logits = student.view();
  batch.teacher_logits = teacher.view();
  return batch;
}

TEST(ForwardKlPlugin, SumsRowsByMaskAndWritesEveryGradient) {
  const LoadedComponent component(FORWARD_KL_PLUGIN, {});
  EXPECT_EQ(text_of(component.description().id), "distill.forward_kl");
  const Tensor<float> student({2, 3}, {0, 1, 2, 3, 1, 0}), teacher({2, 3}, {1, 1, 0, 0, 1, 0}), mask({2}, {.5f, 0});
  Tensor<float> gradient({2, 3}, std::vector<float>(6, not_written));
  retort_distill_batch batch = batch_of(student, teacher);
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

TEST(ForwardKlPlugin, AsksForWhatItsParametersNeed) {
  const auto requirements = [](const Parameters& parameters) {
    const LoadedComponent component(FORWARD_KL_PLUGIN, parameters);
    retort_distill_requirements out{};
    out.struct_size = sizeof out;
    throw_if_error(
        component.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE).requirements(component.instance(), &out));
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
  retort_distill_batch batch = batch_of(student, teacher);
  batch.mask = mask.view();
  take_log();
  distill(component, batch, nullptr);
  EXPECT_NE(take_log().find("student has 2 vocabulary columns, the teacher 3"), std::string::npos);
  distill(component, batch, nullptr);
  EXPECT_EQ(take_log(), "");
  batch.mask = nullptr;
  EXPECT_EQ(refusal([&] { distill(component, batch, nullptr); }).rfind("row 1: the loss is not finite", 0), 0u);
  const Tensor<float> one_row({1, 2}, {0, 1});
  batch.teacher_logits = one_row.view();
  EXPECT_NE(refusal([&] { distill(component, batch, nullptr); }).find("expected 2 rows"), std::string::npos);
}

TEST(GrpoPlugin, AdvantagesAndLossOfAStep) {
  const LoadedComponent component(GRPO_PLUGIN, {{"group_size", std::int64_t{4}}});
  const auto& functions = component.functions<retort_rl_v1>(RETORT_RL_INTERFACE);
  // Two prompts; the second one's rewards are equal. Rows have one or two tokens.
  const Tensor<float> rewards({2, 4}, {1, 0, 0, 1, .5f, .5f, .5f, .5f});
  std::vector<float> ones(16, 1.0f);
  ones[3] = 0;  // sample 1 has one token
  const Tensor<float> mask({8, 2}, ones), log_probs({8, 2}, std::vector<float>(16, -1.0f));
  Tensor<float> advantages({8, 2}, std::vector<float>(16, not_written)), keep({2}, {not_written, not_written});
  retort_rl_batch batch{};
  batch.struct_size = sizeof batch;
  batch.rewards = rewards.view();
  batch.mask = mask.view();
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  throw_if_error(functions.advantages(component.instance(), &batch, advantages.view(), keep.view(), &sink));
  EXPECT_NEAR(advantages.values[0], .865875f, 1e-6f);
  EXPECT_NEAR(advantages.values[2], -.865875f, 1e-6f);
  EXPECT_EQ(advantages.values[3], 0.0f);  // masked
  EXPECT_EQ(keep.values, (std::vector<float>{1, 0}));
  EXPECT_NEAR(metrics.at("mean_reward"), .5, 1e-12);
  EXPECT_EQ(metrics.at("dropped_groups"), 1);

  batch.log_probs = batch.old_log_probs = log_probs.view();
  batch.advantages = advantages.view();
  batch.step_rows = 8;
  batch.step_tokens = 15;
  batch.maximum_tokens = 2;
  Tensor<float> gradient({8, 2}, std::vector<float>(16, not_written));
  double loss = 0;
  throw_if_error(functions.loss(component.instance(), &batch, &loss, gradient.view(), nullptr, &sink));
  EXPECT_NEAR(loss, -.865875 * (2 - 1 - 2 + 2) / 15, 1e-6);  // ρ = 1: −ΣA over unmasked tokens / 15
  EXPECT_NEAR(gradient.values[0], -.865875f / 15, 1e-6f);
  EXPECT_EQ(gradient.values[3], 0.0f);
  EXPECT_EQ(metrics.at("clip_fraction"), 0);

  const Tensor<float> three({2, 3}, std::vector<float>(6, 0.0f));
  batch.rewards = three.view();
  EXPECT_NE(refusal([&] {
              throw_if_error(functions.advantages(component.instance(), &batch, advantages.view(), nullptr, &sink));
            }).find("rewards: expected [2,4], found [2,3]"),
            std::string::npos);
}

TEST(WidthPlugin, PlansEveryLayerAndTheSharedAxis) {
  const LoadedComponent component(WIDTH_PLUGIN, {{"feed_forward", std::int64_t{2}}, {"hidden", std::int64_t{3}}});
  const auto& functions = component.functions<retort_pruner_v1>(RETORT_PRUNER_INTERFACE);
  retort_prune_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(functions.requirements(component.instance(), &wanted));
  EXPECT_EQ(wanted.signals, RETORT_SIGNAL_FEED_FORWARD_NORMS | RETORT_SIGNAL_HIDDEN_NORMS);
  EXPECT_EQ(wanted.samples, 512);

  const Tensor<float> hidden({4}, {4, 1, 3, 2}), feed_forward({2, 3}, {1, 2, 3, 3, 1, 2});
  retort_prune_structure structure{sizeof(retort_prune_structure), 1, 2, 2, 1, 2, 4, 3, 10, 0};
  retort_prune_signals signals{};
  signals.struct_size = sizeof signals;
  signals.hidden_norms = hidden.view();
  signals.feed_forward_norms = feed_forward.view();
  std::string plan;
  const retort_prune_plan_sink sink{
      sizeof sink, 0, &plan,
      [](void* context, std::uint32_t axis, std::int64_t layer, const std::int64_t* indices, std::uint64_t count) {
        auto& text = *static_cast<std::string*>(context);
        text += std::to_string(axis) + "/" + std::to_string(layer) + ":";
        for (std::uint64_t i = 0; i < count; ++i) text += " " + std::to_string(indices[i]);
        text += "\n";
      }};
  MetricMap metrics;
  const retort_metric_sink metric_sink = sink_into(metrics);
  throw_if_error(functions.plan(component.instance(), &structure, &signals, &sink, &metric_sink));
  EXPECT_EQ(plan, "3/0: 1 2\n3/1: 0 2\n4/-1: 0 2 3\n");
  // V·D + L·(2·D·H·d + 2·D·K·d + 3·D·F + 2·D) + D: 40 + 2·(32 + 16 + 36 + 8) + 4 and 30 + 2·(24 + 12 + 18 + 6) + 3.
  EXPECT_EQ(metrics.at("parameters_before"), 228);
  EXPECT_EQ(metrics.at("parameters_after"), 153);
}

TEST(RtnPlugin, WritesCodesScalesAndZeroPoints) {
  const Tensor<float> weight({2, 4}, {-1, .3f, .5f, .8f, 0, 0, 0, 0});
  const std::string module = "model.layers.0.mlp.up_proj";
  retort_quantize_input input{};
  input.struct_size = sizeof input;
  input.module = {module.data(), module.size()};
  input.weight = weight.view();
  const auto quantize = [&](const Parameters& parameters, const retort_quantize_output& output) {
    const LoadedComponent component(RTN_PLUGIN, parameters);
    MetricMap metrics;
    const retort_metric_sink sink = sink_into(metrics);
    throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                       .quantize(component.instance(), &input, &output, &sink));
    return metrics;
  };
  Tensor<std::int8_t> codes({2, 4}, std::vector<std::int8_t>(8, 99));
  Tensor<float> scales({2, 1}, {0, 0});
  const retort_quantize_output symmetric{sizeof symmetric, 0, codes.view(), scales.view(), nullptr, nullptr};
  const MetricMap metrics = quantize({}, symmetric);
  EXPECT_EQ(codes.values, (std::vector<std::int8_t>{-127, 38, 64, 102, 0, 0, 0, 0}));
  EXPECT_NEAR(scales.values[0], 1 / 127.0f, 1e-9f);
  EXPECT_EQ(scales.values[1], 1.0f);
  EXPECT_NEAR(metrics.at("relative_max_error"), 64 / 127.0 - .5, 1e-6);
  EXPECT_GT(metrics.at("mean_squared_error"), 0);

  Tensor<std::uint8_t> unsigned_codes({2, 4}, std::vector<std::uint8_t>(8, 99));
  Tensor<float> group_scales({2, 2}, std::vector<float>(4, 0));
  Tensor<std::int32_t> zeros({2, 2}, std::vector<std::int32_t>(4, -1));
  const retort_quantize_output grouped{sizeof grouped, 0,      unsigned_codes.view(), group_scales.view(),
                                       zeros.view(),   nullptr};
  const Parameters four_bits{{"bits", std::int64_t{4}}, {"symmetric", false}, {"group_size", std::int64_t{2}}};
  quantize(four_bits, grouped);
  // First group [−1,.3]: scale 1.3/15, zero 12 (11.54); second [.5,.8]: scale .8/15, zero 0.
  EXPECT_EQ(unsigned_codes.values, (std::vector<std::uint8_t>{0, 15, 9, 15, 0, 0, 0, 0}));
  EXPECT_EQ(zeros.values, (std::vector<std::int32_t>{12, 0, 0, 0}));
  EXPECT_NEAR(group_scales.values[0], 1.3f / 15, 1e-7f);

  EXPECT_NE(refusal([&] { quantize({{"group_size", std::int64_t{3}}}, symmetric); }).find("divisor"),
            std::string::npos);
}

/// Value and gradient of the SDK's templates against their definitions.
void expect_template_loss(const std::string& library, const Parameters& parameters, const char* metric,
                          const std::function<double(const std::vector<double>&)>& reference) {
  const LoadedComponent component(library, parameters);
  const Tensor<float> student({1, 3}, {0, 1, 2}), teacher({1, 3}, {1, 1, 0}), mask({1}, {.5f});
  Tensor<float> gradient({1, 3}, std::vector<float>(3, not_written));
  retort_distill_batch batch = batch_of(student, teacher);
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
  EXPECT_NE(refusal([&] { distill(component, batch_of(student, narrow), nullptr); }).find("shape of student_logits"),
            std::string::npos);
}

}  // namespace

}  // namespace retort::golden
