// Answers of the prompt forms: whatever a grammar lets through is a list of valid calls, and what the form writes is
// let through.
#include <gtest/gtest.h>

#include <random>

#include "fixtures.h"
#include "grammar/grammar.h"
#include "grammar/program_builder.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::grammar {
namespace {

using Json = nlohmann::json;
using task::Call;
using task::PromptContract;
using Ids = std::vector<TokenId>;

std::vector<task::Tool> tools() {
  return task::tools_from_json(Json::parse(R"([
    {"type":"function","function":{"name":"light_set","parameters":{"type":"object","required":["room"],"properties":{
      "room":{"type":"string"},"state":{"enum":["on","off"]},"level":{"type":"integer","minimum":0,"maximum":100},"warm":{"type":"boolean"},
      "scale":{"type":"number"},"tags":{"type":"array","items":{"type":"string"}},"mixed":{"type":["string","integer"]},
      "options":{"type":"object"},"user":{"type":"string"},"end":{"type":"string"},"free":{}}}}},
    {"type":"function","function":{"name":"shop","parameters":{"type":"object","required":["items"],"properties":{
      "items":{"type":"array","minItems":1,"maxItems":3,"items":{"enum":["red wine","eggs","bread and butter","a, b"]}},
      "names":{"type":"array","items":{"type":"string","minLength":2,"maxLength":6}}}}}},
    {"type":"function","function":{"name":"stop","parameters":{"type":"object","properties":{"room":{"type":"string"}}}}}
  ])"),
                               "tools.json");
}

struct Task {
  explicit Task(const std::string& format, const GrammarOptions& options = {}, const std::string& order = "spoken")
      : contract(format, tools(), {"and", order}),
        tokenizer(text::Tokenizer::parse(
            text::train_byte_level_bpe({contract.training_text("turn on the kitchen light in the kitchen",
                                                               {{"light_set", {{"room", "kitchen"}, {"state", "on"}}}}),
                                        " kitchen kitchen on on, and and red wine red wine eggs eggs"},
                                       {.vocabulary_size = 420, .special_tokens = contract.special_tokens()}),
            "trained")),
        grammar(envelope_program(contract.envelope(tokenizer), options),
                std::make_shared<const Vocabulary>(tokenizer)) {}

  bool takes(const Ids& ids) {
    GrammarState state = grammar.begin();
    for (const TokenId id : ids)
      if (!grammar.mask(state).allows(id) || !grammar.advance(state, id)) return false;
    return state.ended;
  }
  bool takes(const std::vector<Call>& calls) { return takes(contract.response(tokenizer, "", calls)); }
  std::string text(const Ids& ids) const { return tokenizer.decode(ids, true); }

  PromptContract contract;
  text::Tokenizer tokenizer;
  Grammar grammar;
};

const std::vector<std::vector<Call>>& call_lists() {
  static const std::vector<std::vector<Call>> lists = {
      {},
      {{"stop", Json::object()}},
      {{"light_set", {{"room", "kitchen"}, {"state", "on"}}}},
      {{"light_set", {{"room", "a \"quoted\" \\ <|end|> name"}}}, {"stop", {{"room", "x"}}}, {"stop", Json::object()}},
      {{"light_set", {{"room", ""}, {"user", " leading and trailing "}, {"end", "two\nlines\tand ü 日本 😀"}}}},
      {{"light_set", {{"room", "null"}, {"level", 3}, {"warm", false}, {"scale", 0.1}}}},
      {{"light_set", {{"room", "5"}, {"level", 100}, {"warm", true}, {"scale", 1e300}}}},
      {{"light_set", {{"room", "r"}, {"tags", {"a", "b c", ""}}, {"mixed", "7"}, {"options", {{"k", {1, nullptr}}}}}}},
      {{"light_set", {{"room", "r"}, {"tags", Json::array()}, {"mixed", 7}, {"free", nullptr}}}},
      {{"shop", {{"items", {"red wine", "eggs"}}}}},
      {{"shop", {{"items", {"bread and butter", "a, b"}}, {"names", {"Anna", "Bert", "Cleo"}}}}}};
  return lists;
}

TEST(Envelopes, TakeWhatTheFormsWrite) {
  for (const char* format : {"functional_tokens", "json"})
    for (const char* order : {"spoken", "alphabetical"}) {
      Task task(format, {}, order);
      for (const auto& calls : call_lists())
        EXPECT_TRUE(task.takes(calls)) << format << ": "
                                       << task.text(task.contract.response(task.tokenizer, "", calls));
    }
}

TEST(Envelopes, RefuseInvalidCalls) {
  const std::vector<std::vector<Call>> invalid = {
      {{"light_set", {{"state", "on"}}}},
      {{"light_set", {{"room", "r"}, {"state", "dim"}}}},
      {{"light_set", {{"room", "r"}, {"level", 101}}}},
      {{"shop", {{"items", Json::array()}}}},
      {{"shop", {{"items", {"red wine", "eggs", "eggs", "eggs"}}}}},
      {{"shop", {{"items", {"water"}}}}},
      {{"shop", {{"items", {"eggs"}}, {"names", {"x"}}}}},
      {{"shop", {{"items", {"eggs"}}, {"names", {"Anna", "Bartholomew"}}}}}};
  for (const char* format : {"functional_tokens", "json"}) {
    Task task(format);
    for (const auto& calls : invalid)
      EXPECT_FALSE(task.takes(calls)) << format << ": " << task.text(task.contract.response(task.tokenizer, "", calls));
  }
}

/// Random walks: every answer that ends is a list of valid calls.
TEST(Envelopes, EveryAnswerIsValid) {
  for (const char* format : {"functional_tokens", "json"}) {
    Task task(format);
    std::mt19937 random(17);
    int ended = 0, calls = 0;
    for (int round = 0; round < 600; ++round) {
      GrammarState state = task.grammar.begin();
      Ids ids;
      for (int step = 0; step < 400 && !state.ended; ++step) {
        const TokenMask& mask = task.grammar.mask(state);
        ASSERT_GT(mask.count, 0) << task.text(ids);
        Ids allowed, closing;
        for (TokenId id = 0; id < task.grammar.vocabulary().size(); ++id) {
          if (!mask.allows(id)) continue;
          allowed.push_back(id);
          const std::string_view bytes = task.grammar.vocabulary().bytes(id);
          if (bytes.empty() || bytes == "\"" || bytes == "}" || bytes == "]") closing.push_back(id);
        }
        const Ids& from = step > 40 && !closing.empty() && random() % 4 != 0 ? closing : allowed;
        ids.push_back(from[random() % from.size()]);
        ASSERT_TRUE(task.grammar.advance(state, ids.back()));
      }
      if (!state.ended) continue;
      ++ended;
      const auto parsed = task.contract.parse(task.tokenizer, ids);
      if (const auto* wrong = std::get_if<task::Malformed>(&parsed);
          wrong != nullptr && tests::contains(wrong->reason, "stands twice in one object"))
        continue;  // of members that no schema names: what no grammar prevents
      ASSERT_TRUE(std::holds_alternative<std::vector<Call>>(parsed))
          << format << ": " << task.text(ids) << ": " << std::get<task::Malformed>(parsed).reason;
      calls += static_cast<int>(std::get<std::vector<Call>>(parsed).size());
    }
    EXPECT_GT(ended, 300) << format;
    EXPECT_GT(calls, 100) << format;
  }
}

TEST(Envelopes, OptionsOfATask) {
  Task no_none("functional_tokens", {.no_call = false});
  EXPECT_FALSE(no_none.takes(std::vector<Call>{}));
  EXPECT_TRUE(no_none.takes({{"stop", Json::object()}}));
  const Call stop{"stop", Json::object()};
  for (const char* format : {"functional_tokens", "json"}) {
    Task one(format, {.most_calls = 1}), two(format, {.most_calls = 2}), most(format, {.most_calls = 1000});
    EXPECT_TRUE(one.takes({stop}));
    EXPECT_FALSE(one.takes({stop, stop}));
    EXPECT_TRUE(two.takes({stop, stop}));
    EXPECT_FALSE(two.takes({stop, stop, stop}));
    EXPECT_TRUE(most.takes(std::vector<Call>(16, stop)));
    EXPECT_FALSE(most.takes(std::vector<Call>(17, stop)));  // what the form holds
  }
  Task asks("functional_tokens", {.ask_back = true});
  EXPECT_TRUE(asks.takes({{"light_set", {{"state", "on"}}}}));
  EXPECT_FALSE(asks.takes({{"light_set", {{"state", "dim"}}}}));
  GrammarOptions rooms;
  rooms.enums["light_set"]["room"] = {"Kitchen", "Anna's room"};
  rooms.enums["shop"]["items"] = {"water"};
  for (const char* format : {"functional_tokens", "json"}) {
    Task mine(format, rooms);
    EXPECT_TRUE(mine.takes({{"light_set", {{"room", "Anna's room"}}}}));
    EXPECT_FALSE(mine.takes({{"light_set", {{"room", "kitchen"}}}}));
    EXPECT_TRUE(mine.takes({{"shop", {{"items", {"water"}}}}}));
    EXPECT_FALSE(mine.takes({{"shop", {{"items", {"eggs"}}}}}));
  }
  rooms.enums["lamp"]["room"] = {"x"};
  EXPECT_TRUE(tests::contains(tests::error_of([&] { Task task("json", rooms); }), "\"lamp\""));
}

TEST(Envelopes, ValuesFromTheUtterance) {
  for (const char* format : {"functional_tokens", "json"}) {
    Task task(format, {.values_from_utterance = true});
    task.grammar.set_conversation({"Turn on the light in Anna's Room and buy red wine"});
    EXPECT_TRUE(task.takes({{"light_set", {{"room", "anna's room"}, {"state", "on"}}}})) << format;
    EXPECT_TRUE(task.takes({{"light_set", {{"room", "Anna's Room"}}}})) << format;
    EXPECT_FALSE(task.takes({{"light_set", {{"room", "kitchen"}}}})) << format;
    EXPECT_FALSE(task.takes({{"light_set", {{"room", "nna"}}}})) << format;
    EXPECT_TRUE(task.takes({{"light_set", {{"room", "light"}, {"tags", {"red wine"}}}}})) << format;
    EXPECT_FALSE(task.takes({{"light_set", {{"room", "light"}, {"tags", {"white wine"}}}}})) << format;
    task.grammar.set_conversation({"the kitchen"});
    EXPECT_TRUE(task.takes({{"light_set", {{"room", "kitchen"}}}})) << format;
  }
}

/// The forms of model families, told by their envelopes alone.
TEST(Envelopes, ChatTemplateForms) {
  const auto folder = tests::shared_data("tokenizer-qwen3");
  RETORT_NEEDS(folder);
  const auto tokenizer = text::Tokenizer::load(folder);
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer);
  const TokenId open = *tokenizer.find("<tool_call>"), close = *tokenizer.find("</tool_call>"),
                end = *tokenizer.find("<|im_end|>");
  task::CallEnvelope envelope;
  envelope.ends = {end};
  envelope.text = task::EnvelopeText::before_or_instead_of_calls;
  envelope.style = {task::JsonSpacing::spaced, task::KeyOrder::any};
  envelope.between_calls = {{"\n"}};
  task::ToolEnvelope tool;
  tool.name = "weather.get v2 — now";
  tool.parameters = schema::OrderedJson::parse(
      R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]})");
  tool.before = {{"", open}, {"\n{\"name\": \"weather.get v2 — now\", \"arguments\": "}};
  tool.after = {{"}\n"}, {"", close}};
  envelope.tools = {tool};
  Grammar grammar(envelope_program(envelope), vocabulary);
  const auto takes = [&](const std::string& text) {
    GrammarState state = grammar.begin();
    Ids ids = tokenizer.encode(text, text::Tokenizer::Special::parse);
    ids.push_back(end);
    for (const TokenId id : ids)
      if (!grammar.mask(state).allows(id) || !grammar.advance(state, id)) return false;
    return state.ended;
  };
  const std::string call =
      "<tool_call>\n{\"name\": \"weather.get v2 — now\", \"arguments\": {\"city\": \"Zürich\", \"days\": "
      "3}}\n</tool_call>";
  EXPECT_TRUE(takes(call));
  EXPECT_TRUE(takes(call + "\n" + call));
  EXPECT_TRUE(takes("I shall look. " + call));
  EXPECT_TRUE(takes("It is cold."));
  EXPECT_TRUE(takes(""));
  EXPECT_FALSE(takes("<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>"));
  EXPECT_FALSE(takes("<tool_call>\n{\"name\": \"weather.get v2 — now\", \"arguments\": {\"days\": 3}}\n</tool_call>"));
  // The marker is one token: its bytes are another text, in which no call is seen.
  GrammarState state = grammar.begin();
  EXPECT_TRUE(grammar.mask(state).allows(open));
  ASSERT_TRUE(grammar.advance(state, open));
  const Ids run = grammar.forced(state, tokenizer);
  const std::string written = tokenizer.decode(run);
  EXPECT_TRUE(written.starts_with("\n{\"name\": \"weather.get v2 — now\", \"arguments")) << written;
  EXPECT_TRUE(std::string("\n{\"name\": \"weather.get v2 — now\", \"arguments\": {\"").starts_with(written)) << written;
  envelope.text = task::EnvelopeText::none;
  envelope.may_call_nothing = false;
  Grammar only_calls(envelope_program(envelope), vocabulary);
  EXPECT_EQ(only_calls.mask(only_calls.begin()).few, Ids{open});
}

TEST(Envelopes, ManyToolsAndStrangeNames) {
  task::CallEnvelope envelope;
  envelope.ends = {0};
  envelope.between_calls = {{"\n"}};
  std::vector<std::string> bytes = {""};
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(std::string(1, static_cast<char>(byte)));
  const std::string names[] = {"a.b c", "naïve—函数", std::string(300, 'x'), "quote\"d", "tab\t"};
  for (int i = 0; i < 500; ++i) {
    task::ToolEnvelope tool;
    tool.name = i < 5 ? names[i] : "tool_" + std::to_string(i);
    tool.parameters = {
        {"type", "object"},
        {"properties", {{"value_" + std::to_string(i), {{"type", "string"}}}, {"n", {{"type", "integer"}}}}}};
    tool.before = {{"{\"arguments\":"}};
    tool.after = {{",\"name\":" + Json(tool.name).dump() + "}"}};
    envelope.tools.push_back(tool);
  }
  Grammar grammar(envelope_program(envelope), std::make_shared<const Vocabulary>(bytes));
  const auto takes = [&](const std::string& text) {
    GrammarState state = grammar.begin();
    for (const char byte : text)
      if (!grammar.advance(state, static_cast<TokenId>(static_cast<std::uint8_t>(byte)) + 1)) return false;
    return grammar.advance(state, 0);
  };
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_TRUE(takes("{\"arguments\":{\"n\":1,\"value_" + std::to_string(i) +
                      "\":\"x\"},\"name\":" + Json(names[i]).dump() + "}"));
  EXPECT_TRUE(takes("{\"arguments\":{\"n\":1},\"name\":\"tool_499\"}\n{\"arguments\":{},\"name\":\"tool_7\"}"));
  EXPECT_FALSE(takes("{\"arguments\":{\"value_8\":\"x\"},\"name\":\"tool_7\"}"));
}

}  // namespace
}  // namespace retort::grammar
