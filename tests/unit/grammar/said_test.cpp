// Values from what was said: parts of texts against their definition, masks against trying every token, while one
// grammar goes from conversation to conversation.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "grammar/program_builder.h"
#include "grammar/said_parts.h"
#include "mask_reference.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::grammar {
namespace {

using Json = nlohmann::json;

TEST(SaidParts, BeginAndEndAtWordBorders) {
  SaidParts said({"Turn on the Kitchen light, Ärger!", "at 7:30 pm"});
  for (const char* text : {"kitchen light", "Kitchen", "on the", "ärger", "7:30 pm", "light, Ärger!", "30"})
    EXPECT_TRUE(said.contains(text)) << text;
  for (const char* text : {"", " ", "itchen", "kitchen ", "light at", "the kitchen lamp", "pm at"})
    EXPECT_FALSE(said.contains(text)) << text;
  EXPECT_TRUE(SaidParts({}).empty());
  EXPECT_TRUE(SaidParts({"", "  "}).empty());
}

bool is_word(char c) {
  return c != ' ' && c != ',';
}

/// Every part of `text`, by the definition.
std::set<std::string> ref_parts(const std::string& text) {
  std::set<std::string> parts;
  const auto cut = [&](std::size_t at) {  // whether a word goes through here
    return at > 0 && at < text.size() && is_word(text[at - 1]) && is_word(text[at]);
  };
  for (std::size_t begin = 0; begin < text.size(); ++begin)
    for (std::size_t end = begin + 1; end <= text.size(); ++end)
      if (text[begin] != ' ' && text[end - 1] != ' ' && !cut(begin) && !cut(end))
        parts.insert(text.substr(begin, end - begin));
  return parts;
}

TEST(SaidParts, AreThosePartsOfRandomTexts) {
  std::mt19937 random(11);
  const std::string letters = "ab ,a ";
  const auto any = [&](std::size_t most) {
    std::string text;
    for (std::size_t i = random() % (most + 1); i > 0; --i) text += letters[random() % letters.size()];
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    const std::vector<std::string> texts = {any(14), any(10)};
    std::set<std::string> parts = ref_parts(texts[0]);
    parts.merge(ref_parts(texts[1]));
    SaidParts said(texts);
    ASSERT_EQ(said.empty(), parts.empty());
    for (int i = 0; i < 60; ++i) {
      const std::string text = any(5);
      ASSERT_EQ(said.contains(text), parts.contains(text)) << texts[0] << "|" << texts[1] << ": " << text;
      const std::uint32_t needed = random() % 5, left = random() % 8;
      std::int32_t state = SaidParts::start;
      for (const char c : text)
        if (state != SaidParts::dead) state = said.step(state, static_cast<unsigned char>(c));
      const bool expected = std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
        return part.starts_with(text) && part.size() >= text.size() + needed && part.size() <= text.size() + left;
      });
      ASSERT_EQ(state != SaidParts::dead && said.can_end(state, needed, left), expected)
          << texts[0] << "|" << texts[1] << ": " << text << " " << needed << " " << left;
    }
  }
}

std::vector<task::Tool> spoken_tools() {
  return task::tools_from_json(Json::parse(R"([
    {"type":"function","function":{"name":"play","parameters":{"type":"object","required":["title"],"properties":{
      "title":{"type":"string"},"artists":{"type":"array","items":{"type":"string"}},"loud":{"enum":["on","off"]}}}}},
    {"type":"function","function":{"name":"note","parameters":{"type":"object","required":["text"],"properties":{
      "text":{"type":"string","minLength":4,"maxLength":9},"names":{"type":"array","maxItems":2,"items":{"type":"string","maxLength":5}},
      "either":{"anyOf":[{"type":"string"},{"enum":[1,2,"the end"]}]}}}}}
  ])"),
                               "tools.json");
}

const std::vector<std::string> conversations[] = {{"Play Red Wine by UB40 and Ärger's 日本 song"},
                                                  {"play the end", "Note: \"milk\\eggs\"\tand tea"},
                                                  {""},
                                                  {"a b"},
                                                  {"Play Red Wine", "play red wine by ub 40"},
                                                  {}};

class SaidValues : public ::testing::TestWithParam<const char*> {};

TEST_P(SaidValues, MasksEqualAFilterInEveryConversation) {
  const task::PromptContract contract(GetParam(), spoken_tools(), {"and", "spoken"});
  const auto tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe(
          {contract.training_text("play red wine by ub40", {{"play", {{"title", "red wine"}}}}),
           " Red Wine red wine, Note milk and tea the end song", "\"title\":\"red\" \"text\":\"milk"},
          {.vocabulary_size = 460, .special_tokens = contract.special_tokens()}),
      "trained");
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer);
  const auto program = envelope_program(contract.envelope(tokenizer), {.values_from_utterance = true});
  Grammar grammar(program, vocabulary);
  std::mt19937 random(3);
  int masks = 0, ended = 0;
  for (int round = 0; round < 120; ++round) {
    const std::vector<std::string>& texts = conversations[random() % std::size(conversations)];
    grammar.set_conversation(texts);
    ByteAutomaton exact(program, vocabulary->longest());
    auto said = std::make_shared<SaidParts>(texts);
    exact.set_conversation(said->empty() ? nullptr : said);
    GrammarState state = grammar.begin();
    StateId at = exact.start();
    for (int tokens = 0; tokens < 40; ++tokens) {
      std::vector<TokenId> expected = ref_allowed(exact, at, *vocabulary);
      if (exact.accepts(at)) expected.insert(expected.end(), program->ends.begin(), program->ends.end());
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(listed(grammar.mask(state), vocabulary->size()), expected) << "round " << round << ", token " << tokens;
      ++masks;
      ASSERT_FALSE(expected.empty());
      const TokenId token = expected[random() % expected.size()];
      ASSERT_TRUE(grammar.advance(state, token));
      if (state.ended) {
        ++ended;
        break;
      }
      const std::string_view bytes = vocabulary->bytes(token);
      if (bytes.empty()) at = exact.step_token(at, token);
      for (const char byte : bytes) at = exact.step(at, static_cast<std::uint8_t>(byte));
    }
  }
  EXPECT_GT(masks, 1000);
  EXPECT_GT(ended, 20);
}

INSTANTIATE_TEST_SUITE_P(Forms, SaidValues, ::testing::Values("functional_tokens", "json"));

/// A state given before goes on from what it has read, as far as that was said now.
TEST(SaidValues, StatesOutliveAConversation) {
  const task::PromptContract contract("json", spoken_tools());
  const auto tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({"play red wine"},
                                 {.vocabulary_size = 300, .special_tokens = contract.special_tokens()}),
      "trained");
  Grammar grammar(envelope_program(contract.envelope(tokenizer), {.values_from_utterance = true}),
                  std::make_shared<const Vocabulary>(tokenizer));
  grammar.set_conversation({"red wine"});
  GrammarState state = grammar.begin();
  const auto tokens = contract.response(tokenizer, "", {{"play", {{"title", "red wine"}}}});
  for (std::size_t i = 0; i + 4 < tokens.size(); ++i) ASSERT_TRUE(grammar.advance(state, tokens[i])) << i;
  const std::int64_t before = grammar.mask(state).count;
  EXPECT_GT(before, 0);
  grammar.set_conversation({"some red wine"});
  EXPECT_EQ(grammar.mask(state).count, before);
  grammar.set_conversation({"white wine"});
  EXPECT_EQ(grammar.mask(state).count, 0);
}

}  // namespace
}  // namespace retort::grammar
