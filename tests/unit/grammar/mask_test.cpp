// Masks over a vocabulary of 151,936 tokens against trying every token.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "fixtures.h"
#include "grammar/grammar.h"
#include "grammar/instance_text.h"
#include "grammar/program_builder.h"
#include "mask_reference.h"

namespace retort::grammar {
namespace {

using schema::OrderedJson;

TEST(Masks, EqualAFilterOfTheWholeVocabularyIn2000States) {
  const auto folder = tests::shared_data("tokenizer-qwen3");
  const auto file = tests::shared_data("../cases/json-schema/handed.jsonl");
  RETORT_NEEDS(folder);
  RETORT_NEEDS(file);
  const auto tokenizer = text::Tokenizer::load(folder);
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer);
  std::mt19937 random(2000);
  std::ifstream lines(file);
  int states = 0;
  std::vector<std::pair<OrderedJson, std::string>> cases;
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson group = OrderedJson::parse(line);
    for (const OrderedJson& test : group.at("tests"))
      if (test.at("valid").get<bool>()) cases.emplace_back(group.at("schema"), compact_text(test.at("data")));
  }
  std::shuffle(cases.begin(), cases.end(), random);
  for (std::size_t round = 0; states < 2000 && round < 4 * cases.size(); ++round) {
    const auto& [schema, text] = cases[round % cases.size()];
    std::shared_ptr<const Program> program;
    try {
      program = schema_program(schema_rules(schema::SchemaDocument(schema)),
                               {task::JsonSpacing::compact, task::KeyOrder::any});
    } catch (const std::invalid_argument&) {
      continue;
    }
    Grammar grammar(program, vocabulary);
    ByteAutomaton exact(program, 0);
    GrammarState state = grammar.begin();
    StateId at = exact.start();
    const std::vector<TokenId> tokens = tokenizer.encode(text);
    std::size_t next = 0;
    for (int pick = 0; pick < 12 && states < 2000; ++pick) {
      for (std::size_t steps = random() % 4; steps > 0 && next < tokens.size(); --steps, ++next) {
        ASSERT_TRUE(grammar.advance(state, tokens[next])) << text;
        for (const char byte : vocabulary->bytes(tokens[next])) at = exact.step(at, static_cast<std::uint8_t>(byte));
      }
      ASSERT_EQ(listed(grammar.mask(state), vocabulary->size()), ref_allowed(exact, at, *vocabulary))
          << text << " behind token " << next;
      ++states;
      if (next == tokens.size()) break;
    }
  }
  EXPECT_EQ(states, 2000);
}

/// Patterns that most tokens fit: from the second mask on, tokens are tried by classes of characters.
TEST(Masks, OfWidePatternsEqualAFilterToo) {
  const auto folder = tests::shared_data("tokenizer-qwen3");
  RETORT_NEEDS(folder);
  const auto tokenizer = text::Tokenizer::load(folder);
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer);
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type":"string","pattern":"^(?:\\S+\\s+){0,5}\\S+$","maxLength":40})", "\"set the lights Zürich 日本 ok\""},
      {R"({"type":"string","pattern":"^(?:\\S+\\s+){0,5}\\S+$"})", "\"one two  three four five six\""},
      {R"({"type":"string","pattern":"^[\\w .,-]+$","minLength":12,"maxLength":30})", "\"Well, this is it - or not.\""},
      {R"({"type":"string","pattern":"^[^0-9]+$"})", "\"no digits: größer than that\""}};
  for (const auto& [schema, text] : cases) {
    const auto program = schema_program(schema_rules(schema::SchemaDocument(OrderedJson::parse(schema))), {});
    Grammar grammar(program, vocabulary);
    ByteAutomaton exact(program, 0);
    GrammarState state = grammar.begin();
    StateId at = exact.start();
    for (const TokenId token : tokenizer.encode(text)) {
      ASSERT_EQ(listed(grammar.mask(state), vocabulary->size()), ref_allowed(exact, at, *vocabulary)) << text;
      ASSERT_TRUE(grammar.advance(state, token)) << text << ": " << vocabulary->bytes(token);
      for (const char byte : vocabulary->bytes(token)) at = exact.step(at, static_cast<std::uint8_t>(byte));
    }
    EXPECT_TRUE(grammar.accepts(state)) << text;
  }
}

TEST(Masks, MemoryIsBoundedAndStatesSurviveIt) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(std::string(1, static_cast<char>(byte)));
  tokens.insert(tokens.end(), {"ab", "abc", "\",\"", "", "ab"});
  const auto vocabulary = std::make_shared<const Vocabulary>(tokens);
  const auto program = schema_program(schema_rules(schema::SchemaDocument(OrderedJson::parse(
                                          R"({"type":"array","items":{"type":"string","maxLength":1000000}})"))),
                                      {});
  Grammar small(program, vocabulary, {.mask_bytes = 2000, .state_bytes = 200000}), large(program, vocabulary);
  GrammarState a = small.begin(), b = large.begin();
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    const TokenId token = i == 0         ? '['
                          : i % 50 == 1  ? '"'
                          : i % 50 == 49 ? '"'
                          : i % 50 == 0  ? ','
                                         : 256 + static_cast<TokenId>(random() % 2);
    ASSERT_EQ(small.advance(a, token), large.advance(b, token)) << i;
    ASSERT_EQ(listed(small.mask(a), vocabulary->size()), listed(large.mask(b), vocabulary->size())) << i;
  }
  EXPECT_LT(small.states(), 2000U);
  EXPECT_TRUE(large.mask(b).allows(256) == large.mask(b).allows(260));  // tokens with the same bytes
  EXPECT_FALSE(small.advance(a, 259));                                  // a token without bytes
}

TEST(Masks, CountersBeyondALongestTokenShareAMask) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(std::string(1, static_cast<char>(byte)));
  const auto vocabulary = std::make_shared<const Vocabulary>(tokens);
  Grammar grammar(schema_program(schema_rules(schema::SchemaDocument(
                                     OrderedJson::parse(R"({"type":"string","minLength":300,"maxLength":900})"))),
                                 {}),
                  vocabulary);
  GrammarState state = grammar.begin();
  EXPECT_TRUE(grammar.advance(state, '"'));
  for (int i = 0; i < 900; ++i) {
    EXPECT_EQ(grammar.mask(state).allows('"'), i >= 300) << i;
    ASSERT_TRUE(grammar.advance(state, 'a')) << i;
  }
  EXPECT_FALSE(grammar.mask(state).allows('a'));
  EXPECT_TRUE(grammar.advance(state, '"'));
  EXPECT_TRUE(grammar.accepts(state));
}

}  // namespace
}  // namespace retort::grammar
