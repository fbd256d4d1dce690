// Continuing text with a folder that knows no task: what ends it, what is printed, and parts that do not belong
// together.
#include "runtime/generate/text_model.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "host/base/json.h"
#include "markov_model.h"
#include "random_model.h"

namespace retort::runtime {
namespace {

class TextModelTest : public ::testing::Test {
 protected:
  TextModelTest() {
    testing::write_markov_model(folder_.path(), {{"Ġon", "Ġoff"}, {"Ġoff", "!"}});
    std::filesystem::remove(folder_.path() / "retort.json");
  }
  void end_with(const nlohmann::json& tokens) const {
    host::write_json(folder_.path() / "generation_config.json", {{"eos_token_id", tokens}});
  }
  std::int64_t id(const std::string& token) const { return text::Tokenizer::load(folder_.path()).find(token).value(); }

  testing::TemporaryFolder folder_;
};

TEST_F(TextModelTest, EndsWithTheModelsEndToken) {
  end_with(nlohmann::json::array({id("<|user|>"), id("<|end|>")}));
  TextModel model(folder_.path(), {});
  std::string pieces;
  const Continuation result =
      model.continue_text(" turn the light on", {}, [&](std::string_view piece) { pieces += piece; });
  EXPECT_EQ(result.text, " off!");
  EXPECT_EQ(pieces, result.text);
  EXPECT_TRUE(result.ended);
  EXPECT_EQ(result.generation.tokens.back(), id("<|end|>"));
  EXPECT_EQ(result.prompt, model.tokenizer().encode(" turn the light on"));
}

TEST_F(TextModelTest, WithoutAnEndTokenItIsCutShort) {
  TextModel model(folder_.path(), {});
  const Continuation result = model.continue_text(" turn the light on", {.max_new_tokens = 5});
  EXPECT_EQ(result.generation.tokens.size(), 5U);
  EXPECT_EQ(result.text, " off!");  // then <|end|> again and again, which is no text
  EXPECT_FALSE(result.ended);
  const Continuation own = model.continue_text(" turn the light on", {.ends = {static_cast<TokenId>(id("Ġoff"))}});
  EXPECT_EQ(own.text, " off");
  EXPECT_TRUE(own.ended);
}

TEST_F(TextModelTest, StopStringsEndItAcrossTokensAndAreNotGivenOut) {
  TextModel model(folder_.path(), {});
  for (const auto& [stop, text] : {std::pair<std::string, std::string>{"f!", " of"}, {" o", ""}, {"ff", " o"}}) {
    std::string pieces;
    const Continuation result = model.continue_text(" turn the light on", {.max_new_tokens = 5},
                                                    [&](std::string_view piece) { pieces += piece; }, {"no", stop});
    EXPECT_EQ(result.text, text);
    EXPECT_EQ(pieces, text);
    EXPECT_EQ(result.stop, stop);
    EXPECT_FALSE(result.ended);
    EXPECT_LT(result.generation.tokens.size(), 5U);
  }
  const Continuation held = model.continue_text(" turn the light on", {.max_new_tokens = 1}, {}, {"ff!"});
  EXPECT_EQ(held.text, " off");  // what might have become one is given out at the end
  EXPECT_FALSE(held.stop.has_value());
}

TEST_F(TextModelTest, SpecialTokensInThePromptAreTokens) {
  TextModel model(folder_.path(), {});
  const Continuation result = model.continue_text("<|user|> light", {.max_new_tokens = 1});
  EXPECT_EQ(result.prompt.front(), id("<|user|>"));
}

TEST_F(TextModelTest, PutsFirstWhatTheTokenizerWantsThere) {
  const auto file = folder_.path() / "tokenizer.json";
  auto json = nlohmann::json::parse(text::Tokenizer::load(folder_.path()).to_json());
  const auto end = static_cast<TokenId>(id("<|end|>"));
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<|end|>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"special_tokens", {{"<|end|>", {{"id", "<|end|>"}, {"ids", {end}}, {"tokens", {"<|end|>"}}}}}}};
  host::write_json(file, json);
  TextModel model(folder_.path(), {});
  std::vector<TokenId> expected = model.tokenizer().encode(" turn the light on");
  expected.insert(expected.begin(), end);
  EXPECT_EQ(model.continue_text(" turn the light on", {.max_new_tokens = 1}).prompt, expected);
  EXPECT_EQ(model.continue_text("<|end|> turn the light on", {.max_new_tokens = 1}).prompt, expected);  // not twice
  EXPECT_EQ(model.continue_text("", {.max_new_tokens = 1}).prompt, std::vector<TokenId>{end});
}

TEST_F(TextModelTest, AnAddedTokenWithoutARowIsRefusedOnlyInAPrompt) {
  auto json = nlohmann::json::parse(text::Tokenizer::load(folder_.path()).to_json());
  const std::int64_t rows = model::ModelFolder(folder_.path()).config().vocabulary_size;
  json["added_tokens"].push_back({{"id", rows + 2},
                                  {"content", "<|new|>"},
                                  {"special", true},
                                  {"normalized", false},
                                  {"single_word", false},
                                  {"lstrip", false},
                                  {"rstrip", false}});
  host::write_json(folder_.path() / "tokenizer.json", json);
  TextModel model(folder_.path(), {});
  EXPECT_EQ(model.continue_text(" turn the light on", {.max_new_tokens = 2}).text, " off!");
  EXPECT_EQ(model.padding_rows(), std::make_pair(rows, rows));
  try {
    model.continue_text("a<|new|>", {});
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string expected = "the prompt has the token " + std::to_string(rows + 2) + " '<|new|>' at place 1";
    EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
  }
}

TEST_F(TextModelTest, RefusesPartsThatDoNotFit) {
  end_with(100000);
  EXPECT_THROW(TextModel(folder_.path(), {}), std::invalid_argument);
  std::filesystem::remove(folder_.path() / "generation_config.json");
  std::filesystem::remove(folder_.path() / "tokenizer.json");
  EXPECT_THROW(TextModel(folder_.path(), {}), std::exception);
}

}  // namespace
}  // namespace retort::runtime
