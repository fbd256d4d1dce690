// The built libraries of quantizers and sparsifiers that work on sites, through the C ABI: requirements, schemes,
// smoothing, codes, masks, errors, stopping. The algorithms' numbers are in their own tests.
#include <gtest/gtest.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/sparsifier.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

#include "loaded_plugin.h"

namespace retort::golden {

namespace {

template <typename Action>
std::string site_refusal(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "accepted";
}

bool says(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

/// "model.layers.0.self_attn.o": one module [O,I] with statistics of S correlated rows.
struct FakeSite {
  static constexpr std::int64_t rows = 6, columns = 16, samples = 40;
  Tensor<float> weight{{rows, columns}, std::vector<float>(rows* columns)};
  Tensor<float> means{{columns}, std::vector<float>(columns)}, squares{{columns}, std::vector<float>(columns)};
  Tensor<float> hessian{{columns, columns}, std::vector<float>(columns* columns)};
  Tensor<float> inputs{{samples, columns}, std::vector<float>(samples* columns)};
  std::string site_name = "model.layers.0.self_attn.o", module_name = "model.layers.0.self_attn.o_proj";
  retort_site_module module{sizeof module, 0, {}, nullptr, rows, columns};
  retort_site_statistics statistics{};
  retort_site site{};

  FakeSite() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& value : weight.values) value = normal(random);
    for (std::size_t s = 0; s < samples; ++s) {
      const float shared = normal(random);
      float* const x = &inputs.values[s * columns];
      for (std::size_t i = 0; i < columns; ++i) x[i] = (normal(random) + shared) * (i == 3 ? 20 : 1);
      for (std::size_t i = 0; i < columns; ++i) {
        means.values[i] += std::abs(x[i]) / samples;
        squares.values[i] += x[i] * x[i];
        for (std::size_t j = 0; j < columns; ++j) hessian.values[i * columns + j] += 2 * x[i] * x[j] / samples;
      }
    }
    module.name = {module_name.data(), module_name.size()};
    module.weight = weight.view();
    statistics = {sizeof statistics, 0, samples, means.view(), nullptr, squares.view(), hessian.view(), inputs.view()};
    site = {sizeof site, RETORT_PRODUCER_VALUE, {site_name.data(), site_name.size()}, &module, 1, columns, 4, 2,
            &statistics};
  }

  /// (w − ŵ)·H·(w − ŵ), mean over rows.
  double error_of(const std::vector<double>& restored) const {
    double sum = 0;
    for (std::size_t o = 0; o < rows; ++o)
      for (std::size_t i = 0; i < columns; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          sum += (static_cast<double>(weight.values[o * columns + i]) - restored[o * columns + i]) *
                 static_cast<double>(hessian.values[i * columns + j]) *
                 (static_cast<double>(weight.values[o * columns + j]) - restored[o * columns + j]) / rows;
    return sum;
  }
};

struct Quantized {
  std::vector<double> restored;
  MetricMap metrics;
};

retort_quantize_scheme scheme_of(const LoadedComponent& component, const retort_site& site) {
  retort_quantize_scheme scheme{};
  scheme.struct_size = sizeof scheme;
  throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                     .scheme(component.instance(), &site, &scheme));
  return scheme;
}

template <typename Code>
Quantized quantized_as(const LoadedComponent& component, const FakeSite& fake, const retort_quantize_scheme& scheme) {
  const std::int64_t width = scheme.group_size > 0 ? scheme.group_size : FakeSite::columns;
  const std::int64_t groups = FakeSite::columns / width;
  Tensor<Code> codes({FakeSite::rows, FakeSite::columns}, std::vector<Code>(FakeSite::rows * FakeSite::columns, 99));
  Tensor<float> scales({FakeSite::rows, groups}, std::vector<float>(static_cast<std::size_t>(FakeSite::rows * groups),
                                                                    std::numeric_limits<float>::quiet_NaN()));
  Tensor<std::int32_t> zeros({FakeSite::rows, groups},
                             std::vector<std::int32_t>(static_cast<std::size_t>(FakeSite::rows * groups), -1));
  const retort_quantize_output output{sizeof output, 0, codes.view(), scales.view(),
                                      scheme.symmetric != 0 ? nullptr : zeros.view()};
  Quantized result;
  const retort_metric_sink sink = sink_into(result.metrics);
  throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                     .quantize(component.instance(), &fake.site, 0, &scheme, &output, &sink));
  for (std::size_t i = 0; i < codes.values.size(); ++i) {
    const std::size_t group = i / static_cast<std::size_t>(width);
    const int zero = scheme.symmetric != 0 ? 0 : zeros.values[group];
    result.restored.push_back(static_cast<double>(scales.values[group]) * (static_cast<int>(codes.values[i]) - zero));
  }
  return result;
}

Quantized quantized(const std::string& library, const Parameters& parameters, const FakeSite& fake) {
  const LoadedComponent component(library, parameters);
  const retort_quantize_scheme scheme = scheme_of(component, fake.site);
  return scheme.symmetric != 0 ? quantized_as<std::int8_t>(component, fake, scheme)
                               : quantized_as<std::uint8_t>(component, fake, scheme);
}

Parameters four_bits(bool symmetric) {
  return {{"bits", std::int64_t{4}}, {"group_size", std::int64_t{8}}, {"symmetric", symmetric}};
}

TEST(GptqPlugin, LeavesLessErrorThanRoundingAndReportsIt) {
  const FakeSite fake;
  for (const bool symmetric : {true, false}) {
    const Quantized rtn = quantized(RTN_PLUGIN, four_bits(symmetric), fake);
    const Quantized gptq = quantized(GPTQ_PLUGIN, four_bits(symmetric), fake);
    EXPECT_LT(fake.error_of(gptq.restored), .8 * fake.error_of(rtn.restored));
    double damping = 0;  // .01 of the mean diagonal, times Σ (w − ŵ)² of a row
    for (std::size_t i = 0; i < FakeSite::columns; ++i)
      damping += .01 * static_cast<double>(fake.hessian.values[i * FakeSite::columns + i]) / FakeSite::columns;
    const double expected =
        fake.error_of(gptq.restored) + damping * gptq.metrics.at("mean_squared_error") * FakeSite::columns;
    EXPECT_NEAR(gptq.metrics.at("hessian_error"), expected, 1e-3 * expected);
    EXPECT_EQ(gptq.metrics.at("damping"), .01);
    EXPECT_EQ(gptq.metrics.at("damping_raises"), 0);
    // Half a step is what rounding alone may be off by; scales that are 1.9 times as large would be off by several.
    for (std::size_t i = 0; i < rtn.restored.size(); ++i)
      EXPECT_NEAR(rtn.restored[i], static_cast<double>(fake.weight.values[i]), .25) << i;
  }
}

TEST(GptqPlugin, AsksForTheHessianAndSaysWhatIsMissing) {
  FakeSite fake;
  const LoadedComponent component(GPTQ_PLUGIN, {{"samples", std::int64_t{77}}});
  retort_quantize_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(
      component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE).requirements(component.instance(), &wanted));
  EXPECT_EQ(wanted.signals, RETORT_SIGNAL_INPUT_HESSIAN);
  EXPECT_EQ(wanted.samples, 77);
  fake.statistics.hessian = nullptr;
  const std::string missing = site_refusal([&] { quantized(GPTQ_PLUGIN, four_bits(true), fake); });
  EXPECT_TRUE(says(missing, "hessian") && says(missing, "self_attn.o")) << missing;
  EXPECT_TRUE(says(site_refusal([&] { quantized(GPTQ_PLUGIN, {{"group_size", std::int64_t{64}}}, fake); }), "divisor"));
  EXPECT_TRUE(says(site_refusal([] {
                     const LoadedComponent refused(GPTQ_PLUGIN,
                                                   {{"static_groups", false}, {"order", std::string("activation")}});
                   }),
                   "static_groups"));
}

TEST(GptqPlugin, RoundsATableThatIsLookedUpAndSaysSo) {
  FakeSite fake;
  fake.site.producer = RETORT_PRODUCER_NONE;
  fake.site.statistics = nullptr;
  take_log();
  EXPECT_EQ(quantized(GPTQ_PLUGIN, four_bits(true), fake).restored,
            quantized(RTN_PLUGIN, four_bits(true), fake).restored);
  EXPECT_TRUE(says(take_log(), "rounded to nearest"));
  fake.site.producer = RETORT_PRODUCER_NORM;
  EXPECT_TRUE(says(site_refusal([&] { quantized(GPTQ_PLUGIN, four_bits(true), fake); }), "hessian"));
}

TEST(GptqPlugin, SaysWhenItRaisesTheDamping) {
  FakeSite fake;
  std::fill(fake.hessian.values.begin(), fake.hessian.values.end(), 2.0f);
  Parameters parameters = four_bits(true);
  parameters["damping"] = 0.0;
  take_log();
  const Quantized found = quantized(GPTQ_PLUGIN, parameters, fake);
  EXPECT_EQ(found.metrics.at("damping_raises"), 1);
  EXPECT_EQ(found.metrics.at("damping"), .01);
  const std::string log = take_log();
  EXPECT_TRUE(says(log, "Cholesky") && says(log, "self_attn.o")) << log;
}

TEST(GptqPlugin, AnotherHessianUnderTheSameNameIsNotTakenForTheFirst) {
  FakeSite fake;
  const LoadedComponent component(GPTQ_PLUGIN, four_bits(true));
  const retort_quantize_scheme scheme = scheme_of(component, fake.site);
  const Quantized first = quantized_as<std::int8_t>(component, fake, scheme);
  EXPECT_EQ(quantized_as<std::int8_t>(component, fake, scheme).restored, first.restored);
  for (std::size_t i = 0; i < fake.hessian.values.size(); ++i)
    fake.hessian.values[i] = i % (FakeSite::columns + 1) == 0 ? 1.0f : 0.0f;
  const Quantized second = quantized_as<std::int8_t>(component, fake, scheme);
  EXPECT_EQ(second.restored, quantized(RTN_PLUGIN, four_bits(true), fake).restored);
  EXPECT_NE(second.restored, first.restored);
}

TEST(QuantizerPlugins, StopWhenAskedTo) {
  const FakeSite fake;
  set_stop(true);
  for (const char* library : {RTN_PLUGIN, GPTQ_PLUGIN, AWQ_PLUGIN})
    EXPECT_THROW(quantized(library, four_bits(true), fake), std::domain_error) << library;
  set_stop(false);
}

TEST(QuantizerPlugins, OverridesGiveSitesTheirOwnBits) {
  FakeSite fake;
  const auto scheme = [&](const std::string& text) {
    Parameters parameters = four_bits(true);
    parameters["overrides/0"] = text;
    return scheme_of(LoadedComponent(RTN_PLUGIN, parameters), fake.site);
  };
  EXPECT_EQ(scheme("mlp.down=8").bits, 4);
  EXPECT_EQ(scheme("self_attn.o=8").bits, 8);
  EXPECT_EQ(scheme("self_attn.o=8").group_size, 0);
  EXPECT_EQ(scheme("self_attn=3").group_size, 8);
  EXPECT_EQ(scheme("self_attn=8/4").group_size, 4);
  EXPECT_EQ(scheme("self_attn=0").bits, 0);
  for (const char* text : {"self_attn", "=4", "o=1", "o=9", "o=4/", "o=x", "o=4/-1"})
    EXPECT_TRUE(says(site_refusal([&] { scheme(text); }), "overrides")) << text;
}

TEST(RtnPlugin, SearchWeightedByInputsNeedsTheirSquares) {
  FakeSite fake;
  Parameters parameters = four_bits(true);
  parameters["search_steps"] = std::int64_t{40};
  parameters["range"] = std::string("full");
  const Quantized plain = quantized(RTN_PLUGIN, parameters, fake);
  parameters["importance"] = std::string("input_squares");
  const Quantized weighted = quantized(RTN_PLUGIN, parameters, fake);
  const auto loss = [&](const Quantized& found) {
    double sum = 0;
    for (std::size_t i = 0; i < found.restored.size(); ++i) {
      const double error = found.restored[i] - static_cast<double>(fake.weight.values[i]);
      sum += error * error * static_cast<double>(fake.squares.values[i % FakeSite::columns]);
    }
    return sum;
  };
  EXPECT_LT(loss(weighted), loss(plain));
  EXPECT_LT(plain.metrics.at("mean_squared_error"), weighted.metrics.at("mean_squared_error"));
  fake.statistics.square_sum = nullptr;
  EXPECT_TRUE(says(site_refusal([&] { quantized(RTN_PLUGIN, parameters, fake); }), "square_sum"));
}

TEST(AwqPlugin, SmoothsHeadsTogetherAndRoundsToNearest) {
  FakeSite fake;
  for (const char* objective : {"samples", "hessian"}) {
    Parameters parameters = four_bits(true);
    parameters["objective"] = std::string(objective);
    const LoadedComponent component(AWQ_PLUGIN, parameters);
    const auto& functions = component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE);
    Tensor<float> factors({FakeSite::columns}, std::vector<float>(FakeSite::columns, -1));
    MetricMap metrics;
    const retort_metric_sink sink = sink_into(metrics);
    throw_if_error(functions.smooth(component.instance(), &fake.site, factors.view(), &sink));
    for (std::size_t i = 0; i < FakeSite::columns; ++i) {
      EXPECT_GT(factors.values[i], 0);
      EXPECT_EQ(factors.values[i], factors.values[i / 8 * 8 + i % 4]) << i;  // 2 heads of 4 channels a kv head
    }
    EXPECT_GT(metrics.at("smoothing_exponent"), 0);
    EXPECT_LT(metrics.at("output_error"), metrics.at("output_error_unsmoothed"));
    // What the host does with them: columns times the factors; then the codes are those of rounding.
    FakeSite smoothed;
    for (std::size_t i = 0; i < smoothed.weight.values.size(); ++i)
      smoothed.weight.values[i] *= factors.values[i % FakeSite::columns];
    const Quantized awq = quantized(AWQ_PLUGIN, parameters, smoothed);
    EXPECT_EQ(awq.restored, quantized(RTN_PLUGIN, four_bits(true), smoothed).restored);
    std::vector<double> restored = awq.restored;
    for (std::size_t i = 0; i < restored.size(); ++i)
      restored[i] /= static_cast<double>(factors.values[i % FakeSite::columns]);
    const double error = fake.error_of(restored) / 2;
    EXPECT_NEAR(error, metrics.at("output_error"), 1e-3 * error);
  }
  fake.site.shared_heads = 3;
  const LoadedComponent component(AWQ_PLUGIN, four_bits(true));
  Tensor<float> factors({FakeSite::columns}, std::vector<float>(FakeSite::columns, -1));
  EXPECT_TRUE(says(site_refusal([&] {
                     throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                                        .smooth(component.instance(), &fake.site, factors.view(), nullptr));
                   }),
                   "kv heads"));
}

TEST(WandaPlugin, WritesEveryMaskAndWeight) {
  FakeSite fake;
  Tensor<std::uint8_t> mask({FakeSite::rows, FakeSite::columns}, std::vector<std::uint8_t>(96, 255));
  Tensor<float> weight({FakeSite::rows, FakeSite::columns},
                       std::vector<float>(96, std::numeric_limits<float>::quiet_NaN()));
  const retort_sparsify_output output{sizeof output, 0, mask.view(), weight.view()};
  const auto sparsify = [&](const Parameters& parameters) {
    const LoadedComponent component(WANDA_PLUGIN, parameters);
    MetricMap metrics;
    const retort_metric_sink sink = sink_into(metrics);
    throw_if_error(component.functions<retort_sparsifier_v1>(RETORT_SPARSIFIER_INTERFACE)
                       .sparsify(component.instance(), &fake.site, 0, &output, &sink));
    return metrics.at("removed");
  };
  EXPECT_EQ(sparsify({{"pattern", std::string("2:4")}}), .5);
  EXPECT_EQ(weight.values, fake.weight.values);
  for (std::size_t begin = 0; begin < 96; begin += 4)
    EXPECT_EQ(mask.values[begin] + mask.values[begin + 1] + mask.values[begin + 2] + mask.values[begin + 3], 2);
  EXPECT_EQ(sparsify({{"fraction", .25}}), .25);
  for (std::size_t o = 0; o < FakeSite::rows; ++o) EXPECT_EQ(mask.values[o * 16 + 3], 1) << o;  // the loud channel
  for (const char* text : {"2:2", "0:4", "2", "2:", ":4", "2:4x", "a:b"})
    EXPECT_TRUE(says(site_refusal([&] { sparsify({{"pattern", std::string(text)}}); }), "pattern")) << text;
  const std::string odd = site_refusal([&] { sparsify({{"pattern", std::string("2:3")}}); });
  EXPECT_TRUE(says(odd, "multiple of 3") && says(odd, "o_proj")) << odd;
  fake.statistics.square_sum = nullptr;
  EXPECT_TRUE(says(site_refusal([&] { sparsify({}); }), "square_sum"));
}

}  // namespace

}  // namespace retort::golden
