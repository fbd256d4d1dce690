// retort tokenize as scripts use it: lines in, lines out, errors by line.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "child_command.h"
#include "text/bpe_trainer.h"

namespace retort::apps {
namespace {

using Json = nlohmann::json;

class TokenizeCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "retort-tokenize-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::ofstream(folder_ / "tokenizer.json") << text::train_byte_level_bpe(
        {"the light in the hall", "the light in the house"}, {.vocabulary_size = 270, .special_tokens = {"<|end|>"}});
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Outcome tokenize(const std::string& input, std::vector<std::string> options = {}) const {
    std::ofstream(folder_ / "input.txt", std::ios::binary) << input;
    options.insert(options.begin(), {"tokenize", folder_.string()});
    return ChildCommand(folder_, options, {}, folder_ / "input.txt").wait();
  }
  static std::ptrdiff_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }
  std::filesystem::path folder_;
};

TEST_F(TokenizeCommandTest, ThereAndBackAgain) {
  const Json texts = {"the light", "", "é€ \n \"quoted\"", "<|end|>", std::string("a\0b", 3)};
  std::string input;
  for (const Json& text : texts) input += text.dump() + "\n";
  const Outcome ids = tokenize(input);
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_EQ(ids.err, "");
  EXPECT_EQ(lines(ids.out), 5);
  const Outcome back = tokenize(ids.out, {"--decode"});
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(back.out, input);
}

TEST_F(TokenizeCommandTest, TakesAFileAsWellAsAFolder) {
  const Outcome folder = tokenize("\"the light\"\n");
  const Outcome file =
      ChildCommand(folder_, {"tokenize", folder_ / "tokenizer.json"}, {}, folder_ / "input.txt").wait();
  EXPECT_EQ(file.code, 0) << file.err;
  EXPECT_EQ(file.out, folder.out);
}

TEST_F(TokenizeCommandTest, SpecialTokensAsAsked) {
  const Json parsed = Json::parse(tokenize("\"<|end|>\"\n").out);
  const Json as_text = Json::parse(tokenize("\"<|end|>\"\n", {"--as-text"}).out);
  EXPECT_EQ(parsed.size(), 1U);
  EXPECT_GT(as_text.size(), 1U);
  EXPECT_EQ(tokenize(parsed.dump() + "\n", {"--decode", "--skip-special"}).out, "\"\"\n");
  EXPECT_EQ(tokenize("\"a\"\n", {"--begin"}).code, 2);  // this tokenizer begins with nothing
}

TEST_F(TokenizeCommandTest, ErrorsNameTheLineAndKeepTheLinesBefore) {
  const struct {
    const char* input;
    std::vector<std::string> options;
    const char* message;
  } cases[] = {{"\"a\"\n\"b\"\n[1]\n", {}, "line 3: "},
               {"\"a\"\n\"b\"\n\"c\n", {}, "line 3:"},
               {"\"a\"\n\"b\"\n\n", {}, "line 3:"},
               {"[1]\n[2]\n[1, 100000]\n", {"--decode"}, "line 3: /1: expected"},
               {"[1]\n[2]\n[-1]\n", {"--decode"}, "line 3: /0: expected"},
               {"[1]\n[2]\n\"a\"\n", {"--decode"}, "line 3: "},
               {"\"a\"\n\"b\"\n\"\xFF\"\n", {}, "line 3:"}};
  for (const auto& [input, options, message] : cases) {
    const Outcome outcome = tokenize(input, options);
    EXPECT_EQ(outcome.code, 2) << input;
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
    EXPECT_EQ(lines(outcome.out), 2) << outcome.out;
  }
}

TEST_F(TokenizeCommandTest, ALastLineNeedsNoEndAndNoInputIsNoError) {
  EXPECT_EQ(tokenize("\"the\"").out, tokenize("\"the\"\n").out);
  const Outcome nothing = tokenize("");
  EXPECT_EQ(nothing.code, 0);
  EXPECT_EQ(nothing.out, "");
}

TEST_F(TokenizeCommandTest, ManyLines) {
  std::string input;
  for (int i = 0; i < 20000; ++i) input += "\"line " + std::to_string(i) + "\"\n";
  const Outcome ids = tokenize(input);
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_EQ(tokenize(ids.out, {"--decode"}).out, input);
}

}  // namespace
}  // namespace retort::apps
