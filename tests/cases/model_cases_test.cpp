// Model folders with traps. Tokens and log-probabilities are those of a float64 forward pass (EXPECTED.txt beside
// each).
#include <map>

#include "cases.h"

namespace retort::cases {
namespace {

struct Answer {
  std::vector<int> tokens;
  std::vector<std::pair<int, double>> first;  ///< natural log-probabilities of the first step
};

const Answer embedding_answer = {{5, 5, 113, 113, 113, 113}, {{5, -1.0795}, {143, -2.6844}, {232, -3.7770}}};

class ModelCases : public CaseTest {
 protected:
  static std::filesystem::path model(const std::string& name) { return case_folder("models/" + name); }

  void expect_answer(const std::filesystem::path& folder, const Answer& answer, double tolerance = 1e-3) {
    const auto outcome =
        retort({"generate", folder.string(), "hi", "-n", "6", "--greedy", "--json", "--top-logprobs", "3"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    said_ = outcome.err;
    const Json json = Json::parse(outcome.out);
    EXPECT_EQ(json.at("token_ids"), Json(answer.tokens)) << folder;
    const Json& top = json.at("log_probabilities").at(0).at("top");
    ASSERT_EQ(top.size(), answer.first.size());
    for (std::size_t i = 0; i < top.size(); ++i) {
      EXPECT_EQ(top[i].at("token_id"), answer.first[i].first) << folder;
      EXPECT_NEAR(top[i].at("log_probability").get<double>(), answer.first[i].second, tolerance) << folder;
    }
  }
  /// What each of show, generate and export says must have the words in it.
  void expect_said(const std::filesystem::path& folder, const std::string& words) {
    EXPECT_TRUE(contains(retort({"generate", folder.string(), "hi", "-n", "1", "--greedy"}).err, words)) << folder;
    EXPECT_TRUE(contains(retort({"show", folder.string()}).out, words)) << retort({"show", folder.string()}).out;
    const Json notes = json_of({"export", folder.string(), path("out.gguf"), "--format", "gguf", "--json"}).at("notes");
    EXPECT_TRUE(contains(notes.dump(), words)) << notes;
    std::filesystem::remove(path("out.gguf"));
  }
  std::string refusal(const std::filesystem::path& folder, int code) {
    const auto outcome = retort({"generate", folder.string(), "hi", "-n", "6", "--greedy", "--json"});
    EXPECT_EQ(outcome.code, code) << folder << outcome.err;
    return outcome.err;
  }
  std::string said_;
};

TEST_F(ModelCases, ASecondHeadBesideATiedOneCounts) {
  RETORT_CASE("models/fail-1-tied-flag-but-second-head");
  expect_answer(folder, {{227, 265, 227, 103, 149, 103}, {{227, -1.1192}, {158, -2.9237}, {76, -3.0959}}});
  expect_said(folder, "lm_head.weight and model.embed_tokens.weight differ");
}

TEST_F(ModelCases, SoDoesOneInInt8) {
  RETORT_CASE("models/fail-2-tied-flag-int8-head");
  // As the dequantised head gives them; the tolerance is for processors that round activations to bf16 or int8.
  expect_answer(folder, {{227, 265, 227, 103, 149, 103}, {{227, -1.1133}, {158, -2.9241}, {76, -3.0871}}}, 5e-3);
  EXPECT_TRUE(contains(retort({"show", folder.string()}).out, "int8"));
}

TEST_F(ModelCases, TwoSetsOfWeightsAreSaid) {
  RETORT_CASE("models/fail-3-two-sets-of-weights");
  expect_answer(folder, {{76, 30, 30, 131, 131, 131}, {{76, -2.2056}, {62, -2.5513}, {131, -2.7418}}});
  expect_said(folder,
              "two sets of weights: model.safetensors is read, as Transformers does, and the files of "
              "model.safetensors.index.json are not");
}

TEST_F(ModelCases, LayersPastTheCountAreSaid) {
  RETORT_CASE("models/fail-4-layer-past-the-count");
  expect_answer(folder, {{163, 163, 163, 163, 100, 100}, {{163, -1.5488}, {125, -1.8736}, {212, -2.5417}}});
  expect_said(folder, "model.layers.1.* (9 tensors) is not read: config.json's num_hidden_layers is 1");
}

TEST_F(ModelCases, ShowNamesTheTokenThatEnds) {
  RETORT_CASE("models/fail-5-end-token-not-shown");
  const auto shown = retort({"show", folder.string()}).out;
  EXPECT_TRUE(contains(shown, "ends      262")) << shown;
  EXPECT_TRUE(contains(shown, "eos_token_id is 260 in config.json and [262] in generation_config.json")) << shown;
  EXPECT_EQ(json_of({"show", folder.string(), "--json"}).at("model").at("end_tokens"), Json({262}));
  const auto biased = [&](const char* bias) {
    return json_of({"generate", folder.string(), "hi", "-n", "3", "--greedy", "--json", "--logit-bias", bias});
  };
  EXPECT_EQ(biased("262=1000").at("token_ids"), Json({262}));
  EXPECT_EQ(biased("262=1000").at("ended"), true);
  EXPECT_EQ(biased("260=1000").at("token_ids"), Json({260, 260, 260}));
  EXPECT_EQ(biased("260=1000").at("ended"), false);
}

TEST_F(ModelCases, ScalesOfACacheAreSaid) {
  RETORT_CASE("models/fail-6-cache-scales-without-a-scheme");
  expect_answer(folder, embedding_answer);
  expect_said(folder, "2 tensors are not read: model.layers.0.self_attn.k_scale, model.layers.0.self_attn.v_scale");
}

TEST_F(ModelCases, BiasesThatTheConfigDeniesAreRefused) {
  RETORT_CASE("models/fail-7-biases-the-config-denies");
  const std::string said = refusal(folder, 2);
  EXPECT_TRUE(contains(said, "_proj.bias': expected none, because config.json's attention_bias is false")) << said;
  EXPECT_NE(retort({"export", folder.string(), path("out.gguf"), "--format", "gguf"}).code, 0);
}

TEST_F(ModelCases, ACopyOfTheTiedHeadCountsOnce) {
  RETORT_CASE("models/fail-8-copy-of-the-tied-head-counted");
  expect_answer(folder, {{5, 113, 40, 35, 35, 35}, {{5, -1.0689}, {143, -3.0220}, {54, -3.6270}}}, 5e-3);
  const Json shown = json_of({"show", folder.string(), "--json"}).at("model");
  EXPECT_EQ(shown.at("bytes"), 39152);
  EXPECT_TRUE(contains(shown.at("notes").dump(), "lm_head.weight repeats model.embed_tokens.weight"));
  const Json bench = json_of({"bench", folder.string(), "-p", "0", "-n", "8", "-r", "1", "-t", "1", "--json"});
  EXPECT_TRUE(contains(bench.dump(), "\"size_bytes\":39152")) << bench;
  ASSERT_EQ(retort({"export", folder.string(), path("out"), "--format", "hf"}).code, 0);
  const auto bytes = json_of({"show", path("out"), "--json"}).at("model");
  EXPECT_EQ(bytes.at("notes"), Json::array()) << "the copy holds it once";
}

TEST_F(ModelCases, AShorterLastGroupIsNoOtherGroup) {
  RETORT_CASE("models/pass-1-last-group-shorter");
  const std::string said = refusal(folder, 2);
  EXPECT_TRUE(contains(said, "model.layers.0.mlp.down_proj")) << said;
  EXPECT_TRUE(contains(said, "groups of 64")) << said;
}

TEST_F(ModelCases, AMissingShardIsNamed) {
  RETORT_CASE("models/pass-2-shard-missing");
  EXPECT_TRUE(contains(refusal(folder, 1), "model-00002-of-00002.safetensors"));
}

TEST_F(ModelCases, AHeadSizeThatIsNoQuotient) {
  RETORT_CASE("models/pass-3-head-dim-is-no-quotient");
  expect_answer(folder, {{223, 178, 178, 24, 24, 206}, {{223, -2.1461}, {151, -2.4553}, {239, -2.8343}}});
}

TEST_F(ModelCases, ASkippedLayerNumberIsAMissingLayer) {
  RETORT_CASE("models/pass-4-layer-number-skipped");
  EXPECT_TRUE(contains(refusal(folder, 2), "model.layers.1."));
}

TEST_F(ModelCases, StoredTypesCountNotTheDtypeOfTheConfig) {
  RETORT_CASE("models/pass-5-bf16-under-a-float32-dtype");
  const std::string shown = retort({"show", folder.string()}).out;
  EXPECT_TRUE(contains(shown, "BF16")) << shown;
  ::setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", 1);
  expect_answer(folder, {embedding_answer.tokens, {{5, -1.0875}, {143, -2.6624}, {232, -3.7932}}});
  ::unsetenv("ONEDNN_MAX_CPU_ISA");
  expect_answer(folder, {embedding_answer.tokens, {{5, -1.0875}, {143, -2.6624}, {232, -3.7932}}}, 0.1);
}

TEST_F(ModelCases, RetortsOwnScaleOfATiedHeadIsNoSecondHead) {
  RETORT_CASE("models/pass-6-own-int8-head-scale-twice");
  expect_answer(folder, {embedding_answer.tokens, {{5, -1.0666}, {143, -2.7110}, {232, -3.7969}}}, 5e-3);
  EXPECT_FALSE(contains(said_, "warning")) << said_;
  EXPECT_EQ(json_of({"show", folder.string(), "--json"}).at("model").at("notes"), Json::array());
}

TEST_F(ModelCases, StoredInverseFrequenciesAreNoReasonToSpeak) {
  RETORT_CASE("models/pass-7-inverse-frequencies-stored");
  expect_answer(folder, embedding_answer);
  EXPECT_FALSE(contains(said_, "warning")) << said_;
}

TEST_F(ModelCases, DeadAndTinyGroupsAreQuantised) {
  RETORT_CASE("models/pass-8-dead-and-tiny-groups");
  for (const char* plugin : {"stage_import_model.so", "stage_quantize.so", "quantize_rtn.so"})
    if (!std::filesystem::exists(std::filesystem::path(RETORT_PLUGINS) / plugin))
      GTEST_SKIP() << plugin << " is not built; it needs LibTorch";
  const auto outcome = retort({"run", (folder / "quantize.json").string(), "--run-dir", path("run"), "-q", "--set",
                               "stages.0.path=" + (folder / "model").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_answer(path("run") + "/model",
                {{124, 124, 124, 205, 205, 24}, {{124, -2.6426}, {270, -3.0012}, {69, -3.0372}}}, 3e-3);
}

}  // namespace
}  // namespace retort::cases
