// What goes from a folder to GGUF and back, and GGUF files that are no whole model.
#include "cases.h"

namespace retort::cases {
namespace {

class ExchangeCases : public CaseTest {
 protected:
  std::string lines_of(const std::string& model, const std::string& line, const std::vector<std::string>& more = {}) {
    std::ofstream(path("line.jsonl")) << line << "\n";
    std::vector<std::string> arguments = {"tokenize", model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = retort(arguments, path("line.jsonl"));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  Json notes_of_export(const std::string& source, const std::string& target) {
    return json_of({"export", source, target, "--format", "gguf", "--json"}).value("notes", Json::array());
  }
};

TEST_F(ExchangeCases, TokenizersComeBackWhole) {
  RETORT_CASE("files/07-gguf-export-loses-tokenizer-parts");
  const std::vector<std::string> lines = {R"("a<e>  b")", R"("<e> a <m>b <m> ")", R"("e\u0301 \uac00\u11a8 a  b")",
                                          R"("ab  \u212b <e>\n<m>")"};
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    const std::string file = path(name + ".gguf");
    const Json notes = notes_of_export(entry.path().string(), file);
    EXPECT_TRUE(contains(notes.dump(), "tokenizer.huggingface.json")) << name << notes;
    for (const std::string& line : lines)
      EXPECT_EQ(lines_of(entry.path().string(), line), lines_of(file, line)) << name << line;
    ASSERT_EQ(retort({"import", file, path(name)}).code, 0) << name;
    for (const std::string& line : lines)
      EXPECT_EQ(lines_of(entry.path().string(), line), lines_of(path(name), line)) << name << line;
  }
}

TEST_F(ExchangeCases, AllThreeEndsComeBack) {
  RETORT_CASE("files/08-gguf-export-ends-and-begin");
  ASSERT_EQ(retort({"export", (folder / "eos3").string(), path("e.gguf"), "--format", "gguf"}).code, 0);
  ASSERT_EQ(retort({"import", path("e.gguf"), path("back")}).code, 0);
  const auto config = Json::parse(std::ifstream(path("back") + "/generation_config.json"));
  EXPECT_EQ(config.at("eos_token_id"), Json({256, 257, 258}));
}

TEST_F(ExchangeCases, TheTokenizersBeginTokenIsTheFiles) {
  RETORT_CASE("files/08-gguf-export-ends-and-begin");
  const std::string source = (folder / "bosm").string();
  const Json notes = notes_of_export(source, path("b.gguf"));
  EXPECT_TRUE(contains(notes.dump(), "bos_token_id: tokenizer.json puts 257 first and config.json says 258")) << notes;
  EXPECT_EQ(lines_of(source, R"("a")", {"--begin"}), "[257,97]\n");
  EXPECT_EQ(lines_of(path("b.gguf"), R"("a")", {"--begin"}), "[257,97]\n");
}

TEST_F(ExchangeCases, GgufFilesThatAreNoWholeModelSayWhatTheyAre) {
  RETORT_CASE("files/13-split-gguf-message");
  const auto message = [&](const char* file) {
    const auto outcome = retort({"import", (folder / file).string(), path("out")});
    EXPECT_NE(outcome.code, 0) << file;
    EXPECT_FALSE(std::filesystem::exists(path("out"))) << file;
    return outcome.err;
  };
  EXPECT_TRUE(contains(message("split0.gguf"), "found file 1 of 2 of a split one; merge it first"))
      << message("split0.gguf");
  EXPECT_TRUE(contains(message("split1.gguf"), "found file 2 of 2 of a split one; merge it first"))
      << message("split1.gguf");
  EXPECT_TRUE(contains(message("adapter.gguf"), "adapter")) << message("adapter.gguf");
}

TEST_F(ExchangeCases, YarnsAttentionFactorIsRead) {
  RETORT_CASE("files/14-gguf-yarn-attention-factor-ignored");
  const auto attention = [&](const char* file, const char* target) {
    EXPECT_EQ(retort({"import", (folder / file).string(), path(target)}).code, 0) << file;
    const auto config = Json::parse(std::ifstream(path(target) + "/config.json"));
    return config.at("rope_scaling").at("attention_factor").get<double>();
  };
  const double usual = attention("yarn.gguf", "usual");
  EXPECT_NEAR(attention("attn_factor.gguf", "half"), usual / 2, 1e-12);
  ASSERT_EQ(retort({"export", path("half"), path("again.gguf"), "--format", "gguf"}).code, 0);
  ASSERT_EQ(retort({"import", path("again.gguf"), path("again")}).code, 0);
  const auto config = Json::parse(std::ifstream(path("again") + "/config.json"));
  EXPECT_NEAR(config["rope_scaling"]["attention_factor"].get<double>(), usual / 2, 1e-7);
}

}  // namespace
}  // namespace retort::cases
