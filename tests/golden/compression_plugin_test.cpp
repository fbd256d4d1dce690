// The built libraries of pruners and quantizers through the C ABI: requirements, plans, schemes, codes, errors. The
// numbers are those of the algorithms' own tests.
#include <gtest/gtest.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>

#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "loaded_plugin.h"

namespace retort::golden {

namespace {

template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

/// A model that answers evaluate() by the layers that a candidate keeps: each gone layer costs its number.
struct FakeModel {
  std::vector<std::string> asked;
  retort_prune_model model{};
  FakeModel() {
    model.struct_size = sizeof model;
    model.context = this;
    model.evaluate = [](void* context, const retort_prune_keep* keeps, std::uint64_t count, double* loss) {
      auto& self = *static_cast<FakeModel*>(context);
      *loss = 0 + 1 + 2;
      std::string text;
      for (std::uint64_t i = 0; count > 0 && i < keeps->count; ++i) {
        *loss -= static_cast<double>(keeps->indices[i]);
        text += std::to_string(keeps->indices[i]);
      }
      if (count == 0) *loss = 0;
      self.asked.push_back(text);
      return static_cast<retort_error*>(nullptr);
    };
  }
};

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
  const FakeModel fake;
  std::string plan;
  const retort_prune_plan_sink sink{sizeof sink, 0, &plan, [](void* context, const retort_prune_keep* keep) {
                                      auto& text = *static_cast<std::string*>(context);
                                      text += std::to_string(keep->axis) + "/" + std::to_string(keep->layer) + ":";
                                      for (std::uint64_t i = 0; i < keep->count; ++i)
                                        text += " " + std::to_string(keep->indices[i]);
                                      text += "\n";
                                    }};
  MetricMap metrics;
  const retort_metric_sink metric_sink = sink_into(metrics);
  throw_if_error(functions.plan(component.instance(), &structure, &signals, &fake.model, &sink, &metric_sink));
  EXPECT_EQ(plan, "3/0: 1 2\n3/1: 0 2\n4/-1: 0 2 3\n");
  // V·D + L·(2·D·H·d + 2·D·K·d + 3·D·F + 2·D) + D: 40 + 2·(32 + 16 + 36 + 8) + 4 and 30 + 2·(24 + 12 + 18 + 6) + 3.
  EXPECT_EQ(metrics.at("parameters_before"), 228);
  EXPECT_EQ(metrics.at("parameters_after"), 153);
}

TEST(RtnPlugin, WritesCodesScalesAndZeroPoints) {
  const Tensor<float> weight({2, 4}, {-1, .3f, .5f, .8f, 0, 0, 0, 0});
  const std::string module = "model.layers.0.mlp.up_proj";
  const retort_site_module up{sizeof up, 0, {module.data(), module.size()}, weight.view(), 2, 4};
  retort_site site{};
  site.struct_size = sizeof site;
  site.name = {"model.layers.0.mlp.gate_up", 26};
  site.modules = &up;
  site.module_count = 1;
  site.columns = 4;
  const auto quantize = [&](const Parameters& parameters, const retort_quantize_output& output) {
    const LoadedComponent component(RTN_PLUGIN, parameters);
    const auto& functions = component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE);
    retort_quantize_scheme scheme{};
    scheme.struct_size = sizeof scheme;
    throw_if_error(functions.scheme(component.instance(), &site, &scheme));
    MetricMap metrics;
    const retort_metric_sink sink = sink_into(metrics);
    throw_if_error(functions.quantize(component.instance(), &site, 0, &scheme, &output, &sink));
    return metrics;
  };
  Tensor<std::int8_t> codes({2, 4}, std::vector<std::int8_t>(8, 99));
  Tensor<float> scales({2, 1}, {0, 0});
  const retort_quantize_output symmetric{sizeof symmetric, 0, codes.view(), scales.view(), nullptr};
  const MetricMap metrics = quantize({}, symmetric);
  EXPECT_EQ(codes.values, (std::vector<std::int8_t>{-127, 38, 64, 102, 0, 0, 0, 0}));
  EXPECT_NEAR(scales.values[0], 1 / 127.0f, 1e-9f);
  EXPECT_EQ(scales.values[1], 1.0f);
  EXPECT_NEAR(metrics.at("relative_max_error"), 64 / 127.0 - .5, 1e-6);
  EXPECT_GT(metrics.at("mean_squared_error"), 0);

  Tensor<std::uint8_t> unsigned_codes({2, 4}, std::vector<std::uint8_t>(8, 99));
  Tensor<float> group_scales({2, 2}, std::vector<float>(4, 0));
  Tensor<std::int32_t> zeros({2, 2}, std::vector<std::int32_t>(4, -1));
  const retort_quantize_output grouped{sizeof grouped, 0, unsigned_codes.view(), group_scales.view(), zeros.view()};
  const Parameters four_bits{{"bits", std::int64_t{4}},
                             {"symmetric", false},
                             {"group_size", std::int64_t{2}},
                             {"scale_type", std::string("f32")}};
  quantize(four_bits, grouped);
  // First group [−1,.3]: scale 1.3/15, zero 12 (11.54); second [.5,.8]: scale .8/15, zero 0.
  EXPECT_EQ(unsigned_codes.values, (std::vector<std::uint8_t>{0, 15, 9, 15, 0, 0, 0, 0}));
  EXPECT_EQ(zeros.values, (std::vector<std::int32_t>{12, 0, 0, 0}));
  EXPECT_NEAR(group_scales.values[0], 1.3f / 15, 1e-7f);

  EXPECT_NE(refusal([&] { quantize({{"group_size", std::int64_t{3}}}, symmetric); }).find("divisor"),
            std::string::npos);
}

struct Planned {
  std::string plan;
  std::map<std::string, std::vector<float>> weights;
  MetricMap metrics;
};

Planned planned(const LoadedComponent& component, const retort_prune_structure& structure,
                const retort_prune_signals& signals, const retort_prune_model* model) {
  Planned result;
  const retort_prune_plan_sink sink{sizeof sink, 0, &result,
                                    [](void* context, const retort_prune_keep* keep) {
                                      std::string& text = static_cast<Planned*>(context)->plan;
                                      text += std::to_string(keep->axis) + "/" + std::to_string(keep->layer) + ":";
                                      for (std::uint64_t i = 0; i < keep->count; ++i)
                                        text += " " + std::to_string(keep->indices[i]);
                                      text += "\n";
                                    },
                                    [](void* context, retort_string name, const retort_tensor* values) {
                                      const auto* first = static_cast<const float*>(values->data);
                                      static_cast<Planned*>(context)->weights[std::string(name.data, name.size)] = {
                                          first, first + values->shape[0] * values->shape[1]};
                                    }};
  const retort_metric_sink metrics = sink_into(result.metrics);
  throw_if_error(component.functions<retort_pruner_v1>(RETORT_PRUNER_INTERFACE)
                     .plan(component.instance(), &structure, &signals, model, &sink, &metrics));
  return result;
}

retort_prune_requirements requirements_of(const LoadedComponent& component) {
  retort_prune_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(
      component.functions<retort_pruner_v1>(RETORT_PRUNER_INTERFACE).requirements(component.instance(), &wanted));
  return wanted;
}

const retort_prune_structure three_layers{sizeof(retort_prune_structure), 1, 3, 2, 1, 2, 4, 3, 6, 0};

TEST(DepthPlugin, AsksForWhatItsMeasureNeedsAndPlansTheLayers) {
  const Tensor<float> influence({3}, {.5f, .1f, .3f});
  const Tensor<float> similarity({3, 3}, {.1f, .9f, 0, 0, .2f, .3f, 0, 0, .4f});
  retort_prune_signals signals{};
  signals.struct_size = sizeof signals;
  signals.block_influence = influence.view();
  signals.block_similarity = similarity.view();
  FakeModel fake;

  const LoadedComponent by_influence(DEPTH_PLUGIN, {});
  EXPECT_EQ(requirements_of(by_influence).signals, RETORT_SIGNAL_BLOCK_INFLUENCE);
  EXPECT_EQ(requirements_of(by_influence).flags, 0u);
  EXPECT_EQ(planned(by_influence, three_layers, signals, &fake.model).plan, "1/-1: 0 2\n");

  const LoadedComponent by_similarity(DEPTH_PLUGIN,
                                      {{"by", std::string("block_similarity")}, {"remove", std::int64_t{2}}});
  EXPECT_EQ(requirements_of(by_similarity).signals, RETORT_SIGNAL_BLOCK_SIMILARITY);
  EXPECT_EQ(planned(by_similarity, three_layers, signals, &fake.model).plan, "1/-1: 2\n");

  const LoadedComponent by_loss(DEPTH_PLUGIN, {{"by", std::string("loss")}, {"remove", std::int64_t{2}}});
  EXPECT_EQ(requirements_of(by_loss).flags, RETORT_PRUNE_EVALUATES);
  EXPECT_EQ(requirements_of(by_loss).signals, 0u);
  ASSERT_TRUE(fake.asked.empty());
  const Planned found = planned(by_loss, three_layers, signals, &fake.model);
  EXPECT_EQ(found.plan, "1/-1: 2\n");
  EXPECT_EQ(fake.asked, (std::vector<std::string>{"", "12", "02", "01", "2", "1"}));
  EXPECT_EQ(found.metrics.at("loss_without_2"), 1);
  EXPECT_EQ(found.metrics.at("layers_after"), 1);

  const LoadedComponent all(DEPTH_PLUGIN, {{"remove", std::int64_t{3}}});
  EXPECT_NE(refusal([&] { planned(all, three_layers, signals, &fake.model); }).find("at most 2 of 3"),
            std::string::npos);
  const LoadedComponent none(DEPTH_PLUGIN, {{"remove", std::int64_t{0}}});
  EXPECT_EQ(planned(none, three_layers, signals, &fake.model).plan, "");
  signals.block_influence = nullptr;
  EXPECT_NE(refusal([&] { planned(by_influence, three_layers, signals, &fake.model); }).find("block_influence"),
            std::string::npos);
  set_stop(true);
  EXPECT_THROW(planned(by_loss, three_layers, signals, &fake.model), std::domain_error);
  set_stop(false);
}

TEST(VocabularyPlugin, PlansTheTokensThatStay) {
  const Tensor<float> counts({6}, {0, 3, 0, 1, 4, 0});
  const Tensor<std::int64_t> required({2}, {0, 1});
  retort_prune_signals signals{};
  signals.struct_size = sizeof signals;
  signals.token_counts = counts.view();
  signals.required_tokens = required.view();
  const FakeModel fake;
  const LoadedComponent used(VOCABULARY_PLUGIN, {});
  EXPECT_EQ(requirements_of(used).signals, RETORT_SIGNAL_TOKEN_COUNTS);
  const Planned found = planned(used, three_layers, signals, &fake.model);
  EXPECT_EQ(found.plan, "5/-1: 0 1 3 4\n");
  EXPECT_EQ(found.metrics.at("tokens_kept"), 4);
  EXPECT_EQ(found.metrics.at("covered"), 1);
  const LoadedComponent three(VOCABULARY_PLUGIN, {{"size", std::int64_t{3}}});
  const Planned smaller = planned(three, three_layers, signals, &fake.model);
  EXPECT_EQ(smaller.plan, "5/-1: 0 1 4\n");
  EXPECT_EQ(smaller.metrics.at("covered"), .875);
  signals.required_tokens = nullptr;
  EXPECT_NE(refusal([&] { planned(used, three_layers, signals, &fake.model); }).find("required_tokens"),
            std::string::npos);
}

/// A model of three_layers whose weights and gradients are given by name.
struct NamedModel {
  std::map<std::string, std::unique_ptr<Tensor<float>>> weights, gradients;
  std::vector<std::string> asked;
  retort_prune_model model{};
  NamedModel() {
    model.struct_size = sizeof model;
    model.context = this;
    model.weight = [](void* context, retort_string name, const retort_tensor** out) {
      return answer(context, "", &NamedModel::weights, name, out);
    };
    model.gradient = [](void* context, retort_string name, const retort_tensor** out) {
      return answer(context, "g ", &NamedModel::gradients, name, out);
    };
    model.squared_gradient = [](void* context, retort_string name, const retort_tensor** out) {
      return answer(context, "f ", &NamedModel::gradients, name, out);
    };
  }
  void add(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& weight,
           const std::vector<float>& gradient) {
    weights[name] = std::make_unique<Tensor<float>>(shape, weight);
    gradients[name] = std::make_unique<Tensor<float>>(shape, gradient);
  }
  static retort_error* answer(void* context, const std::string& prefix,
                              std::map<std::string, std::unique_ptr<Tensor<float>>> NamedModel::* which,
                              retort_string name, const retort_tensor** out) {
    auto& self = *static_cast<NamedModel*>(context);
    self.asked.push_back(prefix + std::string(name.data, name.size));
    *out = (self.*which).at(std::string(name.data, name.size))->view();
    return nullptr;
  }
};

TEST(TaylorPlugin, ReadsWhatItsAxesNeedAndKeepsTheStrongest) {
  // Three layers, H 2, K 1, head_dim 2, D 4, F 3.
  NamedModel fake;
  for (int layer = 0; layer < 3; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".";
    std::vector<float> ones(12, 1), slopes(12, 0);
    for (std::size_t i = 0; i < 12; ++i) slopes[i] = i % 3 == static_cast<std::size_t>(layer) ? .1f : 1.0f;
    fake.add(name + "mlp.down_proj.weight", {4, 3}, ones, slopes);
    fake.add(name + "input_layernorm.weight", {4}, {1, 1, 1, 1}, {0, 1, 2, 0});
    fake.add(name + "post_attention_layernorm.weight", {4}, {1, 1, 1, 1}, {0, -1, 0, 1});
  }
  fake.add("model.norm.weight", {4}, {2, 2, 2, 2}, {0, 0, 0, 2});
  retort_prune_signals signals{};
  signals.struct_size = sizeof signals;
  const Parameters targets{{"feed_forward", std::int64_t{2}}, {"hidden", std::int64_t{2}}};
  const LoadedComponent component(TAYLOR_PLUGIN, targets);
  EXPECT_EQ(requirements_of(component).signals, RETORT_SIGNAL_GRADIENTS);
  EXPECT_EQ(requirements_of(component).samples, 128);
  // Hidden channels: 0, 3·(1 − 1), 3·2, 3·1 + 2·2.
  EXPECT_EQ(planned(component, three_layers, signals, &fake.model).plan, "3/0: 1 2\n3/1: 0 2\n3/2: 0 1\n4/-1: 2 3\n");
  Parameters fisher = targets;
  fisher["by"] = std::string("fisher");
  fake.asked.clear();
  const LoadedComponent squared(TAYLOR_PLUGIN, fisher);
  EXPECT_EQ(requirements_of(squared).signals, RETORT_SIGNAL_SQUARED_GRADIENTS);
  planned(squared, three_layers, signals, &fake.model);
  EXPECT_EQ(fake.asked.at(1), "f model.layers.0.mlp.down_proj.weight");
  fake.weights.at("model.layers.1.mlp.down_proj.weight")->values[4] = std::nanf("");
  const std::string bad = refusal([&] { planned(component, three_layers, signals, &fake.model); });
  EXPECT_NE(bad.find("model.layers.1.mlp.down_proj.weight, row 1, column 1: expected a finite weight"),
            std::string::npos)
      << bad;
}

TEST(FfnLsPlugin, HandsOverWhatMakesUpForWhatGoes) {
  struct HessianModel : NamedModel {
    Tensor<float> hessian{{3, 3}, {2, .5f, .3f, .5f, 1, .8f, .3f, .8f, 1.5f}};
    std::vector<std::int64_t> layers;
    HessianModel() {
      model.feed_forward_hessian = [](void* context, std::int64_t layer, const retort_tensor** out) {
        auto& self = *static_cast<HessianModel*>(static_cast<NamedModel*>(context));
        self.layers.push_back(layer);
        *out = self.hessian.view();
        return static_cast<retort_error*>(nullptr);
      };
    }
  } fake;
  retort_prune_structure structure = three_layers;
  structure.layers = 2, structure.hidden = 2;
  for (const char* layer : {"0", "1"})
    fake.add("model.layers." + std::string(layer) + ".mlp.down_proj.weight", {2, 3}, {1, .4f, -.6f, -.5f, .8f, .2f},
             {});
  retort_prune_signals signals{};
  signals.struct_size = sizeof signals;
  const LoadedComponent component(FFN_LS_PLUGIN, {{"feed_forward", std::int64_t{2}}, {"damping", 0.0}});
  EXPECT_EQ(requirements_of(component).signals, RETORT_SIGNAL_FEED_FORWARD_HESSIAN);
  const Planned found = planned(component, structure, signals, &fake.model);
  EXPECT_EQ(found.plan, "3/0: 0 1\n3/1: 0 1\n");
  EXPECT_EQ(fake.layers, (std::vector<std::int64_t>{0, 1}));
  ASSERT_EQ(found.weights.size(), 2U);
  const std::vector<float>& weight = found.weights.at("model.layers.1.mlp.down_proj.weight");
  const float expected[] = {1.034285714f, -.097142857f, 0, -.511428571f, .965714286f, 0};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(weight[i], expected[i], 1e-6f) << i;
  EXPECT_GT(found.metrics.at("output_error"), 0);

  const LoadedComponent none(FFN_LS_PLUGIN, {{"remove", 0.0}});
  fake.layers.clear();
  EXPECT_EQ(planned(none, structure, signals, &fake.model).plan, "");
  EXPECT_TRUE(fake.layers.empty());
  const LoadedComponent wider(FFN_LS_PLUGIN, {{"feed_forward", std::int64_t{4}}});
  EXPECT_NE(refusal([&] { planned(wider, structure, signals, &fake.model); }).find("at most the present 3"),
            std::string::npos);
  fake.weights.at("model.layers.1.mlp.down_proj.weight")->values[4] = std::nanf("");
  const std::string bad = refusal([&] { planned(component, structure, signals, &fake.model); });
  EXPECT_NE(bad.find("model.layers.1.mlp.down_proj.weight, row 1, column 1: expected a finite weight"),
            std::string::npos)
      << bad;
  fake.model.feed_forward_hessian = nullptr;  // a host of before
  EXPECT_THROW(planned(component, structure, signals, &fake.model), std::runtime_error);
}

TEST(WidthPlugins, KeepAllWhereNothingIsToGoAndRefuseWhatLeavesNothing) {
  retort_prune_signals signals{};
  signals.struct_size = sizeof signals;
  const NamedModel fake;
  for (const char* library : {WIDTH_PLUGIN, TAYLOR_PLUGIN}) {
    const LoadedComponent none(library, {{"remove", 0.0}});
    const Planned whole = planned(none, three_layers, signals, &fake.model);
    EXPECT_EQ(whole.plan, "") << library;
    EXPECT_EQ(whole.metrics.at("removed"), 0) << library;
    const LoadedComponent most(library, {{"remove", .6}});
    EXPECT_NE(refusal([&] { planned(most, three_layers, signals, &fake.model); }).find("remove: expected a share"),
              std::string::npos)
        << library;
    const LoadedComponent wider(library, {{"feed_forward", std::int64_t{4}}});
    EXPECT_NE(refusal([&] { planned(wider, three_layers, signals, &fake.model); }).find("at most the present 3"),
              std::string::npos)
        << library;
    retort_prune_structure odd = three_layers;
    odd.heads = 3, odd.kv_heads = 2;
    EXPECT_NE(refusal([&] { planned(most, odd, signals, &fake.model); }).find("heads: expected a multiple"),
              std::string::npos)
        << library;
  }
}

}  // namespace

}  // namespace retort::golden
