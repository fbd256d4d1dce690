// The built libraries of quantizers, which work on sites, through the C ABI: requirements, schemes, smoothing, codes,
// errors, stopping. The algorithms' numbers are in their own tests.
#include <gtest/gtest.h>

#include "fake_site.h"

namespace retort::golden {

namespace {

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
  for (const char* library : {RTN_PLUGIN, GPTQ_PLUGIN, AWQ_PLUGIN, SMOOTHQUANT_PLUGIN})
    EXPECT_THROW(quantized(library, four_bits(true), fake), std::domain_error) << library;
  EXPECT_THROW(quantized(HQQ_PLUGIN, four_bits(false), fake), std::domain_error);
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

TEST(AwqPlugin, MakesTheCodesOfGptqWhereItIsAskedTo) {
  FakeSite fake;
  Parameters parameters = four_bits(false);
  parameters["codes"] = std::string("gptq");
  const LoadedComponent component(AWQ_PLUGIN, parameters);
  const auto& functions = component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE);
  retort_quantize_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(functions.requirements(component.instance(), &wanted));
  EXPECT_EQ(wanted.signals,
            RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN | RETORT_SIGNAL_INPUT_SAMPLES | RETORT_SIGNAL_INPUT_HESSIAN);
  const Quantized found = quantized(AWQ_PLUGIN, parameters, fake);
  EXPECT_EQ(found.restored, quantized(GPTQ_PLUGIN, four_bits(false), fake).restored);
  EXPECT_EQ(found.metrics.at("damping"), .01);
  EXPECT_LT(fake.error_of(found.restored), .8 * fake.error_of(quantized(AWQ_PLUGIN, four_bits(false), fake).restored));
  fake.statistics.hessian = nullptr;
  EXPECT_TRUE(says(site_refusal([&] { quantized(AWQ_PLUGIN, parameters, fake); }), "hessian"));
}

/// What the plugin writes for fake.site.
struct Smoothed {
  std::vector<float> factors;
  MetricMap metrics;
};

Smoothed smoothed(const LoadedComponent& component, const FakeSite& fake) {
  Tensor<float> factors({FakeSite::columns}, std::vector<float>(FakeSite::columns, -1));
  Smoothed result;
  const retort_metric_sink sink = sink_into(result.metrics);
  throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                     .smooth(component.instance(), &fake.site, factors.view(), &sink));
  result.factors = factors.values;
  return result;
}

TEST(SmoothQuantPlugin, SmoothsWhatANormProducesAndWhatItIsAskedTo) {
  FakeSite fake;
  const LoadedComponent norms(SMOOTHQUANT_PLUGIN, {}), all(SMOOTHQUANT_PLUGIN, {{"sites", std::string("all")}});
  retort_quantize_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(
      norms.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE).requirements(norms.instance(), &wanted));
  EXPECT_EQ(wanted.signals, RETORT_SIGNAL_INPUT_ABSOLUTE_MAX);
  EXPECT_EQ(smoothed(norms, fake).factors, std::vector<float>(FakeSite::columns, 1));  // produced by v
  const std::vector<float> shared = smoothed(all, fake).factors;
  for (std::size_t i = 0; i < FakeSite::columns; ++i) EXPECT_EQ(shared[i], shared[i / 8 * 8 + i % 4]) << i;
  fake.site.producer = RETORT_PRODUCER_NORM;
  const Smoothed found = smoothed(norms, fake);
  for (std::size_t i = 0; i < FakeSite::columns; ++i) {
    float weight = 0;
    for (std::size_t o = 0; o < FakeSite::rows; ++o)
      weight = std::max(weight, std::abs(fake.weight.values[o * FakeSite::columns + i]));
    EXPECT_FLOAT_EQ(found.factors[i], std::sqrt(fake.largest.values[i] / weight)) << i;
  }
  EXPECT_LT(found.metrics.at("input_range_smoothed"), found.metrics.at("input_range") / 2);
  EXPECT_EQ(quantized(SMOOTHQUANT_PLUGIN, {}, fake).restored, quantized(RTN_PLUGIN, {}, fake).restored);
  fake.statistics.absolute_max = nullptr;
  const std::string missing = site_refusal([&] { smoothed(norms, fake); });
  EXPECT_TRUE(says(missing, "absolute_max") && says(missing, "self_attn.o")) << missing;
}

TEST(HqqPlugin, LeavesLessErrorThanRoundingAndRefusesSymmetricCodes) {
  const FakeSite fake;
  const Quantized hqq = quantized(HQQ_PLUGIN, {{"group_size", std::int64_t{8}}}, fake);
  const Quantized rtn = quantized(RTN_PLUGIN, four_bits(false), fake);
  EXPECT_LT(hqq.metrics.at("mean_squared_error"), rtn.metrics.at("mean_squared_error"));
  EXPECT_GE(hqq.metrics.at("iterations"), 2);
  const std::string refusal = site_refusal([] { const LoadedComponent refused(HQQ_PLUGIN, {{"symmetric", true}}); });
  EXPECT_TRUE(says(refusal, "symmetric: expected false")) << refusal;
  // Eight bits have one symmetric scale a row, which is what files hold of them.
  const Parameters override{{"overrides/0", std::string("self_attn.o=8")}};
  const retort_quantize_scheme scheme = scheme_of(LoadedComponent(HQQ_PLUGIN, override), fake.site);
  EXPECT_EQ(scheme.bits, 8);
  EXPECT_EQ(scheme.symmetric, 1);
  EXPECT_EQ(quantized(HQQ_PLUGIN, override, fake).restored, quantized(RTN_PLUGIN, {}, fake).restored);
}

TEST(HqqPlugin, GuardedByTheOutputNoRowIsWorseThanRounded) {
  const FakeSite fake;
  const auto row_errors = [&](const Quantized& found) {
    std::vector<double> errors(FakeSite::rows, 0.0);
    for (std::size_t o = 0; o < FakeSite::rows; ++o)
      for (std::size_t s = 0; s < FakeSite::samples; ++s) {  // from the inputs themselves
        double difference = 0;
        for (std::size_t i = 0; i < FakeSite::columns; ++i)
          difference += static_cast<double>(fake.inputs.values[s * FakeSite::columns + i]) *
                        (static_cast<double>(fake.weight.values[o * FakeSite::columns + i]) -
                         found.restored[o * FakeSite::columns + i]);
        errors[o] += difference * difference;
      }
    return errors;
  };
  Parameters parameters{{"group_size", std::int64_t{8}}};
  const Quantized free = quantized(HQQ_PLUGIN, parameters, fake);
  parameters["guard"] = std::string("output");
  const Quantized guarded = quantized(HQQ_PLUGIN, parameters, fake),
                  rtn = quantized(RTN_PLUGIN, four_bits(false), fake);
  const std::vector<double> without = row_errors(free), with = row_errors(guarded), plain = row_errors(rtn);
  std::size_t worse = 0;
  for (std::size_t o = 0; o < FakeSite::rows; ++o) {
    worse += without[o] > plain[o] ? 1 : 0;
    EXPECT_NEAR(with[o], std::min(without[o], plain[o]), 1e-4 * plain[o]) << o;
  }
  EXPECT_GT(worse, 0U);
  EXPECT_LT(worse, static_cast<std::size_t>(FakeSite::rows));
  EXPECT_NEAR(guarded.metrics.at("rows_rounded"), static_cast<double>(worse) / FakeSite::rows, 1e-9);
}

TEST(GptqPlugin, RefusesAHessianThatStaysSingularByItsSite) {
  FakeSite fake;
  // Indefinite whatever is added to the diagonal, up to its mean.
  for (std::size_t i = 0; i < FakeSite::columns; ++i)
    for (std::size_t j = 0; j < FakeSite::columns; ++j) fake.hessian.values[i * FakeSite::columns + j] = i == j ? 1 : 9;
  const std::string refusal = site_refusal([&] { quantized(GPTQ_PLUGIN, four_bits(true), fake); });
  EXPECT_TRUE(says(refusal, "not positive definite") && says(refusal, "self_attn.o")) << refusal;
}

TEST(GptqPlugin, SaysWhereCalibrationReachesNothing) {
  FakeSite fake;
  std::fill(fake.hessian.values.begin(), fake.hessian.values.end(), 0.0f);
  take_log();
  EXPECT_EQ(quantized(GPTQ_PLUGIN, four_bits(true), fake).restored,
            quantized(RTN_PLUGIN, four_bits(true), fake).restored);
  EXPECT_TRUE(says(take_log(), "no calibration row reaches its input"));
}

TEST(QuantizerPlugins, RefuseAWeightThatIsNotFiniteByItsPlace) {
  FakeSite fake;
  fake.weight.values[2 * FakeSite::columns + 5] = std::numeric_limits<float>::quiet_NaN();
  const auto expect_refusal = [&](const char* library, bool symmetric) {
    const std::string refusal = site_refusal([&] { quantized(library, four_bits(symmetric), fake); });
    EXPECT_TRUE(says(refusal, "o_proj") && says(refusal, "row 2, column 5")) << library << ": " << refusal;
  };
  for (const char* library : {RTN_PLUGIN, GPTQ_PLUGIN, AWQ_PLUGIN, SMOOTHQUANT_PLUGIN}) expect_refusal(library, true);
  expect_refusal(HQQ_PLUGIN, false);
}

}  // namespace

}  // namespace retort::golden
