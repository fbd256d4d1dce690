// The distillation losses' built libraries, and the SDK's templates, through the C ABI: parameters, requirements,
// tensors, metrics, errors. The numbers are those of the algorithms' own tests.
#include <gtest/gtest.h>
#include <retort/abi/distill.h>

#include <cmath>
#include <filesystem>
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

/// Against Σ w·softmax(z_a / T), tempered first: L = T²·KL(p̄ ‖ q), dL/dz = T·(q − p̄), where the weighted losses would
/// give the gradient alone. The second teacher excludes a token, which a geometric mean would exclude too.
TEST(TokenLossPlugins, SeveralTeachersMayBeAveragedAsProbabilities) {
  const double temperature = 2;
  const LoadedComponent component(SKEW_KL_PLUGIN, {{"alpha", 0.0},
                                                   {"average", std::string("probabilities")},
                                                   {"temperature", temperature},
                                                   {"scale_by_temperature_squared", true}});
  const Tensor<float> student({2, 3}, {0, 1, 2, 1, 0, 0}), first({2, 3}, {1, 1, 0, 3, 0, -2}),
      second({2, 3}, {2, -INFINITY, 1, 0, 2, 2}), mask({2}, {1, .5f});
  Tensor<float> gradient({2, 3}, std::vector<float>(6, not_written));
  const std::vector<retort_distill_teacher> teachers{teacher_of(first, .25), teacher_of(second, .75)};
  retort_distill_batch batch = batch_of(student, teachers);
  batch.mask = mask.view();
  const DistillCall call = distill(component, batch, gradient.view());
  double expected = 0;
  for (std::size_t n = 0; n < 2; ++n) {
    const auto tempered = [&](const Tensor<float>& logits) {
      std::vector<double> row;
      for (std::size_t v = 0; v < 3; ++v) row.push_back(static_cast<double>(logits.values[3 * n + v]) / temperature);
      return softmax(row);
    };
    const auto one = tempered(first), two = tempered(second), q = tempered(student);
    for (std::size_t v = 0; v < 3; ++v) {
      const double mean = .25 * one[v] + .75 * two[v], weight = static_cast<double>(mask.values[n]);
      expected += weight * temperature * temperature * mean * std::log(mean / q[v]);
      EXPECT_NEAR(static_cast<double>(gradient.values[3 * n + v]), weight * temperature * (q[v] - mean), 1e-6)
          << n << v;
    }
  }
  EXPECT_NEAR(call.loss, expected, 1e-6);
  const LoadedComponent by_losses(
      SKEW_KL_PLUGIN, {{"alpha", 0.0}, {"temperature", temperature}, {"scale_by_temperature_squared", true}});
  const std::vector<retort_distill_teacher> same{teacher_of(first, .25), teacher_of(first, .75)};
  retort_distill_batch twice = batch_of(student, same);
  twice.mask = mask.view();
  EXPECT_NEAR(distill(component, twice, nullptr).loss, distill(by_losses, twice, nullptr).loss,
              1e-6);  // one teacher twice
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

TEST(HiddenPlugin, AsksForLayersAndProjectionsThatTheModelsNeed) {
  const retort_model_shape student{sizeof student, 0, 3, 4, 7}, same{sizeof same, 0, 5, 4, 7},
      wide{sizeof wide, 0, 5, 6, 7};
  const retort_model_shape both[] = {same, wide};
  const retort_distill_setup setup{sizeof setup, 2, &student, both, 10, 1};
  retort_distill_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  const auto ask = [&](const LoadedComponent& component, const retort_distill_setup* of) {
    throw_if_error(component.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE)
                       .requirements(component.instance(), of, &wanted));
  };
  const LoadedComponent component(HIDDEN_PLUGIN, {{"kl_weight", 0.0}});
  ask(component, nullptr);
  EXPECT_EQ(wanted.signals, RETORT_SIGNAL_HIDDEN_STATES);
  EXPECT_EQ(wanted.parameter_count, 0u);
  ask(component, &setup);  // the teacher of the student's width needs no projection
  ASSERT_EQ(wanted.parameter_count, 2u);
  EXPECT_EQ(text_of(wanted.parameters[1].name), "projection_1_1");
  EXPECT_EQ(wanted.parameters[1].shape[0], 6);
  EXPECT_EQ(wanted.parameters[1].shape[1], 4);
  ASSERT_EQ(wanted.layer_count, 2);
  EXPECT_EQ(wanted.student_layers[0], 0);
  EXPECT_EQ(wanted.teacher_layers[1], -1);
  const LoadedComponent deep(HIDDEN_PLUGIN,
                             {{"student_layers/0", std::int64_t{3}}, {"teacher_layers/0", std::int64_t{4}}});
  EXPECT_NE(refusal([&] { ask(deep, &setup); }).find("student_layers: expected layers from -4 to 2"),
            std::string::npos);
  EXPECT_NE(
      refusal([] { LoadedComponent(HIDDEN_PLUGIN, {{"student_layers/0", std::int64_t{1}}}); }).find("found 1 and 2"),
      std::string::npos);
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

TEST(SkewKlPlugin, APairWithoutAnswersOfTheStudentsOwnIsRefused) {
  EXPECT_NE(refusal([] {
              LoadedComponent(SKEW_KL_PLUGIN, {{"direction", std::string("pair")}});
            }).find("on_policy_fraction: expected a share above 0"),
            std::string::npos);
  EXPECT_NO_THROW(LoadedComponent(SKEW_KL_PLUGIN, {{"direction", std::string("pair")}, {"on_policy_fraction", .5}}));
}

TEST(SdkTemplates, CppDistillationLoss) {
  expect_template_loss(CPP_TEMPLATE_PLUGIN, {{"temperature", 2.0}}, "reverse_kl", [](const std::vector<double>& z) {
    const auto q = softmax(z, 2), p = softmax({1, 1, 0}, 2);
    double kl = 0;
    for (std::size_t v = 0; v < 3; ++v) kl += q[v] * std::log(q[v] / p[v]);
    return kl;
  });
}

TEST(SdkTemplates, RustDistillationLoss) {
  if (!std::filesystem::exists(RUST_TEMPLATE_PLUGIN)) GTEST_SKIP() << "no rustc when this was configured";
  const auto divergence = [](const std::vector<double>& p, const std::vector<double>& q, double beta) {
    double sum = 0;
    for (std::size_t v = 0; v < p.size(); ++v) {
      const double m = beta * p[v] + (1 - beta) * q[v];
      sum += beta * p[v] * std::log(p[v] / m) + (1 - beta) * q[v] * std::log(q[v] / m);
    }
    return sum;
  };
  expect_template_loss(RUST_TEMPLATE_PLUGIN, {{"beta", .1}}, "generalised_jsd",
                       [&](const std::vector<double>& z) { return divergence(softmax({1, 1, 0}), softmax(z), .1); });
  // TRL's test of its generalised JSD: p = [.9,.1], q = [.1,.9].
  EXPECT_NEAR(divergence({.9, .1}, {.1, .9}, .5), .368064, 1e-6);
  const Tensor<float> student({1, 2}, {std::log(.1F), std::log(.9F)}), teacher({1, 2}, {std::log(.9F), std::log(.1F)});
  const std::vector<retort_distill_teacher> teachers{teacher_of(teacher)};
  for (const auto& [beta, expected] : {std::pair(.5, .368064), std::pair(.1, .146311)}) {
    const LoadedComponent component(RUST_TEMPLATE_PLUGIN, {{"beta", beta}});
    EXPECT_NEAR(distill(component, batch_of(student, teachers), nullptr).loss, expected, 1e-6);
    EXPECT_NE(refusal([&] { distill(component, batch_of(student, {}), nullptr); }).find("compares with one, found 0"),
              std::string::npos);
  }
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
