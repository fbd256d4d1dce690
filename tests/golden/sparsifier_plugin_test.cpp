// The built libraries of sparsifiers through the C ABI: requirements, masks, weights, errors, stopping.
#include <gtest/gtest.h>
#include <retort/abi/sparsifier.h>

#include "fake_site.h"

namespace retort::golden {

namespace {

struct Sparse {
  std::vector<float> weights;
  std::vector<std::uint8_t> mask;
  MetricMap metrics;
};

Sparse sparsified(const std::string& library, const Parameters& parameters, const FakeSite& fake) {
  const LoadedComponent component(library, parameters);
  Tensor<std::uint8_t> mask({FakeSite::rows, FakeSite::columns}, std::vector<std::uint8_t>(96, 255));
  Tensor<float> weight({FakeSite::rows, FakeSite::columns},
                       std::vector<float>(96, std::numeric_limits<float>::quiet_NaN()));
  const retort_sparsify_output output{sizeof output, 0, mask.view(), weight.view()};
  Sparse result;
  const retort_metric_sink sink = sink_into(result.metrics);
  throw_if_error(component.functions<retort_sparsifier_v1>(RETORT_SPARSIFIER_INTERFACE)
                     .sparsify(component.instance(), &fake.site, 0, &output, &sink));
  result.weights = weight.values;
  result.mask = mask.values;
  return result;
}

TEST(WandaPlugin, WritesEveryMaskAndWeight) {
  FakeSite fake;
  const Sparse half = sparsified(WANDA_PLUGIN, {{"pattern", std::string("2:4")}}, fake);
  EXPECT_EQ(half.metrics.at("removed"), .5);
  EXPECT_EQ(half.weights, fake.weight.values);
  for (std::size_t begin = 0; begin < 96; begin += 4)
    EXPECT_EQ(half.mask[begin] + half.mask[begin + 1] + half.mask[begin + 2] + half.mask[begin + 3], 2);
  const Sparse quarter = sparsified(WANDA_PLUGIN, {{"fraction", .25}}, fake);
  EXPECT_EQ(quarter.metrics.at("removed"), .25);
  for (std::size_t o = 0; o < FakeSite::rows; ++o) EXPECT_EQ(quarter.mask[o * 16 + 3], 1) << o;  // the loud channel
  const auto refusal = [&](const Parameters& parameters) {
    return site_refusal([&] { sparsified(WANDA_PLUGIN, parameters, fake); });
  };
  for (const char* text : {"2:2", "0:4", "2", "2:", ":4", "2:4x", "a:b"})
    EXPECT_TRUE(says(refusal({{"pattern", std::string(text)}}), "pattern")) << text;
  const std::string odd = refusal({{"pattern", std::string("2:3")}});
  EXPECT_TRUE(says(odd, "multiple of 3") && says(odd, "o_proj")) << odd;
  fake.statistics.square_sum = nullptr;
  EXPECT_TRUE(says(refusal({}), "square_sum"));
}

TEST(SparseGptPlugin, MakesUpForWhatGoes) {
  FakeSite fake;
  for (const Parameters& parameters : {Parameters{{"pattern", std::string("2:4")}}, Parameters{{"fraction", .5}}}) {
    const Sparse found = sparsified(SPARSEGPT_PLUGIN, parameters, fake);
    EXPECT_EQ(found.metrics.at("removed"), .5);
    std::vector<double> restored(found.weights.begin(), found.weights.end()), masked;
    double squares = 0, damping = 0;
    for (std::size_t i = 0; i < 96; ++i) {
      EXPECT_EQ(found.weights[i] == 0, found.mask[i] == 0) << i;
      masked.push_back(found.mask[i] == 0 ? 0.0 : static_cast<double>(fake.weight.values[i]));
      squares += std::pow(static_cast<double>(fake.weight.values[i] - found.weights[i]), 2) / FakeSite::rows;
    }
    for (std::size_t i = 0; i < FakeSite::columns; ++i)
      damping += .01 * static_cast<double>(fake.hessian.values[i * FakeSite::columns + i]) / FakeSite::columns;
    EXPECT_LT(fake.error_of(restored), .9 * fake.error_of(masked));
    const double expected = fake.error_of(restored) + damping * squares;
    EXPECT_NEAR(found.metrics.at("hessian_error"), expected, 1e-3 * expected);
    EXPECT_EQ(found.metrics.at("damping"), .01);
  }
  const Sparse whole = sparsified(SPARSEGPT_PLUGIN, {{"fraction", 0.0}}, fake);
  EXPECT_EQ(whole.weights, fake.weight.values);
}

TEST(SparseGptPlugin, RefusesBadInputByName) {
  FakeSite fake;
  const auto refusal = [&](const Parameters& parameters) {
    return site_refusal([&] { sparsified(SPARSEGPT_PLUGIN, parameters, fake); });
  };
  EXPECT_TRUE(says(refusal({{"pattern", std::string("4:4")}}), "pattern"));
  const std::string odd = refusal({{"pattern", std::string("2:3")}});
  EXPECT_TRUE(says(odd, "multiple of 3") && says(odd, "o_proj")) << odd;
  fake.weight.values[7] = std::numeric_limits<float>::infinity();
  const std::string infinite = refusal({});
  EXPECT_TRUE(says(infinite, "row 0, column 7") && says(infinite, "o_proj")) << infinite;
  fake.weight.values[7] = 1;
  set_stop(true);
  EXPECT_THROW(sparsified(SPARSEGPT_PLUGIN, {}, fake), std::domain_error);
  set_stop(false);
  fake.statistics.hessian = nullptr;
  const std::string missing = refusal({});
  EXPECT_TRUE(says(missing, "hessian") && says(missing, "self_attn.o")) << missing;
}

}  // namespace

}  // namespace retort::golden
