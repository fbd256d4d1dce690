// Frequencies against Transformers 4.57.1 (modeling_rope_utils, run in double), reading, writing and refusals.
#include "model/rope_scaling.h"

#include "fixtures.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

RopeScaling read(const Json& json) {
  return rope_scaling_from_json(host::JsonCursor(json, "config.json"), 4096);
}

void expect_frequencies(const RopeScaling& scaling, double theta, const std::vector<double>& expected) {
  const std::vector<double> found = rope_frequencies(scaling, theta, 2 * static_cast<std::int64_t>(expected.size()));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i] / expected[i], 1.0, 1e-12) << "pair " << i;
}

TEST(RopeScaling, StandardFrequenciesFallGeometrically) {
  expect_frequencies({}, 10000.0, {1.0, 0.1, 0.01, 0.001});
}

TEST(RopeScaling, Linear) {
  expect_frequencies(read({{"type", "linear"}, {"factor", 4.0}}), 10000.0,
                     {0.25, 0.07905694150420949, 0.025, 0.007905694150420948, 0.0025, 0.000790569415042095, 0.00025,
                      7.905694150420948e-05});
}

TEST(RopeScaling, Llama3) {
  const Json json = {{"rope_type", "llama3"},
                     {"factor", 32.0},
                     {"low_freq_factor", 1.0},
                     {"high_freq_factor", 4.0},
                     {"original_max_position_embeddings", 8192}};
  expect_frequencies(read(json), 500000.0,
                     {1.0, 0.19392274474868576, 0.03760603093086393, 0.0072926647372171085, 0.00042955679655936815,
                      8.570255489881478e-06, 1.661967467795309e-06, 3.2229329303788936e-07});
}

TEST(RopeScaling, Yarn) {
  const RopeScaling scaling =
      read({{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}});
  EXPECT_NEAR(scaling.attention_factor, 1.138629436111989, 1e-12);
  expect_frequencies(scaling, 1000000.0,
                     {1.0, 0.4216965034285823, 0.1778279410038923, 0.07498942093324558, 0.03162277660168379,
                      0.01333521432163324, 0.0047799012641179675, 0.0016599615939631588, 0.00055,
                      0.00016867860137143292, 4.445698525097307e-05, 1.8747355233311396e-05, 7.905694150420949e-06,
                      3.33380358040831e-06, 1.4058533129758728e-06, 5.928434264154139e-07});
}

TEST(RopeScaling, YarnWithEveryOption) {
  const RopeScaling scaling = read({{"rope_type", "yarn"},
                                    {"factor", 8.0},
                                    {"beta_fast", 16.0},
                                    {"beta_slow", 2.0},
                                    {"truncate", false},
                                    {"mscale", 0.7},
                                    {"mscale_all_dim", 1.0}});  // the trained length is the config's, 4096
  EXPECT_NEAR(scaling.attention_factor, 0.9483558523503399, 1e-12);
  expect_frequencies(scaling, 10000.0,
                     {1.0, 0.31622776601683794, 0.1, 0.03162277660168379, 0.006221889068862788, 0.00043557547602531205,
                      0.000125, 3.952847075210474e-05});
}

TEST(RopeScaling, RoundTrips) {
  for (const Json& json :
       {Json{{"rope_type", "linear"}, {"factor", 2.5}},
        Json{{"rope_type", "llama3"},
             {"factor", 8.0},
             {"low_freq_factor", 1.5},
             {"high_freq_factor", 3.0},
             {"original_max_position_embeddings", 512}},
        Json{{"rope_type", "yarn"}, {"factor", 4.0}, {"mscale", 0.5}, {"mscale_all_dim", 2.0}, {"truncate", false}}}) {
    const RopeScaling scaling = read(json);
    EXPECT_EQ(read(to_json(scaling)), scaling) << json;
  }
  EXPECT_TRUE(to_json(RopeScaling{}).is_null());
  EXPECT_EQ(read({{"rope_type", "default"}}), RopeScaling{});
}

TEST(RopeScaling, RefusesByField) {
  const std::pair<Json, const char*> cases[] = {
      {{{"rope_type", "longrope"}}, "/rope_type: expected \"default\", \"linear\", \"llama3\" or \"yarn\""},
      {{{"factor", 2.0}}, "type"},
      {{{"rope_type", "linear"}}, "factor"},
      {{{"rope_type", "linear"}, {"factor", 0.0}}, "/factor: expected a number above 0, found 0.0"},
      {{{"rope_type", "llama3"}, {"factor", 2.0}}, "original_max_position_embeddings"},
      {{{"rope_type", "llama3"},
        {"factor", 2.0},
        {"original_max_position_embeddings", 9},
        {"low_freq_factor", 4.0},
        {"high_freq_factor", 4.0}},
       "/high_freq_factor: expected a number above low_freq_factor"},
      {{{"rope_type", "yarn"}, {"factor", 2.0}, {"beta_fast", 1.0}, {"beta_slow", 2.0}}, "beta_fast"},
      {{{"rope_type", "yarn"}, {"factor", 2.0}, {"original_max_position_embeddings", 0}}, "/original_max_position"}};
  for (const auto& [json, expected] : cases)
    EXPECT_TRUE(contains(error_of([&, &json = json] { read(json); }), expected))
        << error_of([&, &json = json] { read(json); });
}

}  // namespace
}  // namespace retort::model
