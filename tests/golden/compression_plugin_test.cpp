// The built libraries of pruners and quantizers through the C ABI: requirements, plans, schemes, codes, errors. The
// numbers are those of the algorithms' own tests.
#include <gtest/gtest.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>

#include <stdexcept>
#include <string>

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
  const retort_prune_plan_sink sink{sizeof sink, 0, &plan, [](void* context, const retort_prune_keep* keep) {
                                      auto& text = *static_cast<std::string*>(context);
                                      text += std::to_string(keep->axis) + "/" + std::to_string(keep->layer) + ":";
                                      for (std::uint64_t i = 0; i < keep->count; ++i)
                                        text += " " + std::to_string(keep->indices[i]);
                                      text += "\n";
                                    }};
  MetricMap metrics;
  const retort_metric_sink metric_sink = sink_into(metrics);
  throw_if_error(functions.plan(component.instance(), &structure, &signals, nullptr, &sink, &metric_sink));
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
  const Parameters four_bits{{"bits", std::int64_t{4}}, {"symmetric", false}, {"group_size", std::int64_t{2}}};
  quantize(four_bits, grouped);
  // First group [−1,.3]: scale 1.3/15, zero 12 (11.54); second [.5,.8]: scale .8/15, zero 0.
  EXPECT_EQ(unsigned_codes.values, (std::vector<std::uint8_t>{0, 15, 9, 15, 0, 0, 0, 0}));
  EXPECT_EQ(zeros.values, (std::vector<std::int32_t>{12, 0, 0, 0}));
  EXPECT_NEAR(group_scales.values[0], 1.3f / 15, 1e-7f);

  EXPECT_NE(refusal([&] { quantize({{"group_size", std::int64_t{3}}}, symmetric); }).find("divisor"),
            std::string::npos);
}

}  // namespace

}  // namespace retort::golden
