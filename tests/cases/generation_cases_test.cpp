// Folders whose config.json says a thing twice. The tokens are Transformers 5.24's.
#include "cases.h"

namespace retort::cases {
namespace {

const char prompt[] =
    "abc def hello world this is a longer prompt 12345 abc def hello world this is a longer prompt 12345 ";

class GenerationCases : public CaseTest {
 protected:
  Json tokens(const std::filesystem::path& model, std::size_t most = 8) {
    const auto outcome = retort({"generate", model.string(), prompt, "-n", std::to_string(most), "--greedy", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    said_ = outcome.err;
    return Json::parse(outcome.out, nullptr, false).value("token_ids", Json());
  }
  std::string said_;
};

TEST_F(GenerationCases, ThetaInsideRopeParametersWins) {
  RETORT_CASE("files/04-rope-theta-conflict");
  const Json wanted = {159, 191, 265, 105, 160, 265, 105, 160};
  EXPECT_EQ(tokens(folder / "v5_only"), wanted);
  EXPECT_EQ(tokens(folder / "conflict_top1e4_params5e5"), wanted);
  EXPECT_TRUE(contains(said_, "rope_theta is 10000.0 at the top and 500000.0 in rope_parameters: 500000.0 is used"))
      << said_;
  EXPECT_EQ(tokens(folder / "theta1e4"), (Json{159, 105, 114, 2}));
}

TEST_F(GenerationCases, RopeParametersByLayerType) {
  RETORT_CASE("files/04-rope-theta-conflict");
  EXPECT_EQ(tokens(folder / "nested_by_layer_qwen3"), tokens(folder / "qwen3_5e5"));
}

TEST_F(GenerationCases, AnOriginalLengthAtTheTopWins) {
  RETORT_CASE("files/15-original-positions-beside-rope");
  const Json top = tokens(folder / "y_top64", 3);
  EXPECT_EQ(top, (Json{298, 132, 213}));
  EXPECT_EQ(top, tokens(folder / "y_in64", 3));
  EXPECT_EQ(tokens(folder / "y_in4096", 3), (Json{151, 27, 266}));
}

TEST_F(GenerationCases, AHeadOfItsOwnIsUsedWhateverTheFlagSays) {
  RETORT_CASE("files/05-tied-flag-but-own-head");
  const std::filesystem::path model = folder / "tied_flag_with_different_head";
  const Json untied = {159, 105, 114, 2};
  EXPECT_EQ(tokens(folder / "untied"), untied);
  EXPECT_EQ(tokens(model), untied);
  EXPECT_TRUE(contains(said_, "tie_word_embeddings true, but lm_head.weight and model.embed_tokens.weight differ"));
  for (const char* format : {"hf", "gguf"}) {
    const std::string target = path(std::string("out.") + format);
    ASSERT_EQ(retort({"export", model.string(), target, "--format", format}).code, 0);
    const std::string opened = format == std::string("hf") ? target : path("back");
    if (opened != target) {
      ASSERT_EQ(retort({"import", target, opened}).code, 0);
    }
    EXPECT_EQ(tokens(opened), untied) << format;
    EXPECT_FALSE(contains(said_, "tie_word_embeddings")) << format << ": the copy says what it is\n" << said_;
  }
}

}  // namespace
}  // namespace retort::cases
