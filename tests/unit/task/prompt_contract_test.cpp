// Both formats there and back, the tokens' arrangement, and a reason for each malformed response.
#include "task/prompt_contract.h"

#include <algorithm>
#include <random>

#include "fixtures.h"
#include "text/bpe_trainer.h"

namespace retort::task {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;
using Ids = std::vector<text::TokenId>;

std::vector<Tool> tools() {
  return tools_from_json(Json::parse(R"([
    {"type":"function","function":{"name":"light_set","parameters":{"type":"object","required":["room"],"properties":{
      "room":{"type":"string"},"state":{"enum":["on","off"]},"level":{"type":"integer"},"warm":{"type":"boolean"},
      "scale":{"type":"number"},"tags":{"type":"array","items":{"type":"string"}},"mixed":{"type":["string","integer"]},
      "options":{"type":"object"},"user":{"type":"string"},"end":{"type":"string"},"free":{}}}}},
    {"type":"function","function":{"name":"stop","parameters":{"type":"object","properties":{"room":{"type":"string"}}}}}
  ])"),
                         "tools.json");
}

struct Task {
  explicit Task(const std::string& format)
      : contract(format, tools()),
        tokenizer(text::Tokenizer::parse(
            text::train_byte_level_bpe({contract.training_text("turn on the kitchen light in the kitchen",
                                                               {{"light_set", {{"room", "kitchen"}, {"state", "on"}}}}),
                                        " kitchen kitchen on on"},
                                       {.vocabulary_size = 400, .special_tokens = contract.special_tokens()}),
            "trained")) {}
  Ids respond(const std::vector<Call>& calls, const std::string& utterance = "") const {
    return contract.response(tokenizer, utterance, calls);
  }
  std::string text(const Ids& ids) const { return tokenizer.decode(ids, true); }
  std::string reason(const Ids& ids) const {
    const auto parsed = contract.parse(tokenizer, ids);
    return std::holds_alternative<Malformed>(parsed) ? std::get<Malformed>(parsed).reason : "";
  }
  /// Token ids of text in which special tokens are spelled out.
  std::string reason(const std::string& spelled) const {
    return reason(tokenizer.encode(spelled, text::Tokenizer::Special::parse));
  }

  PromptContract contract;
  text::Tokenizer tokenizer;
};

const std::vector<std::vector<Call>>& call_lists() {
  static const std::vector<std::vector<Call>> lists = {
      {},
      {{"stop", Json::object()}},
      {{"light_set", {{"room", "kitchen"}, {"state", "on"}}}},
      {{"light_set", {{"room", "a \"quoted\" \\ <|end|> name"}}}, {"stop", {{"room", "x"}}}, {"stop", Json::object()}},
      {{"light_set", {{"room", ""}, {"user", " leading and trailing "}, {"end", "two\nlines\tand ü 日本 😀"}}}},
      {{"light_set", {{"room", "null"}, {"level", -3}, {"warm", false}, {"scale", 0.1}}}},
      {{"light_set", {{"room", "5"}, {"level", 9007199254740993}, {"warm", true}, {"scale", 1e300}}}},
      {{"light_set", {{"room", "r"}, {"tags", {"a", "b c", ""}}, {"mixed", "7"}, {"options", {{"k", {1, nullptr}}}}}}},
      {{"light_set", {{"room", "r"}, {"tags", Json::array()}, {"mixed", 7}, {"free", nullptr}}}}};
  return lists;
}

TEST(PromptContract, CallsRoundTripInBothFormats) {
  for (const char* format : {"functional_tokens", "json"}) {
    const Task task(format);
    for (const auto& calls : call_lists()) {
      const Ids response = task.respond(calls);
      EXPECT_EQ(std::count(response.begin(), response.end(), task.contract.end_token(task.tokenizer)), 1);
      const auto parsed = task.contract.parse(task.tokenizer, response);
      ASSERT_TRUE(std::holds_alternative<std::vector<Call>>(parsed))
          << task.text(response) << ": " << std::get<Malformed>(parsed).reason;
      EXPECT_EQ(calls_to_json(std::get<std::vector<Call>>(parsed)).dump(), calls_to_json(calls).dump());
      Ids cut = response;
      cut.pop_back();
      EXPECT_TRUE(contains(task.reason(cut), "cut short"));
    }
  }
}

TEST(PromptContract, SpellsFunctionalTokens) {
  const Task task("functional_tokens");
  EXPECT_EQ(task.text(task.contract.prompt(task.tokenizer, "turn on <|end|>")),
            "<|user|> turn on <|end|><|assistant|>");
  EXPECT_EQ(task.text(task.respond({})), "<|none|><|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"state", "on"}, {"room", "kitchen"}, {"level", 5}}}})),
            "<|call:light_set|><|level|> 5<|room|> kitchen<|state|> on<|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"room", "r"}, {"user", "me"}, {"mixed", "7"}}}})),
            "<|call:light_set|><|mixed|> \"7\"<|room|> r<|arg:user|> me<|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"room", "r"}, {"tags", {"a b", "c"}}}}})),
            "<|call:light_set|><|room|> r<|tags|> a b and c<|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"room", "r"}, {"tags", {"a and b", "c"}}}}})),
            "<|call:light_set|><|room|> r<|tags|><|next|> a and b<|next|> c<|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"room", "r"}, {"tags", Json::array()}}}})),
            "<|call:light_set|><|room|> r<|tags|><|end|>");
  const std::vector<std::string> tokens = task.contract.special_tokens();
  EXPECT_EQ(std::vector<std::string>(tokens.begin(), tokens.begin() + 8),
            (std::vector<std::string>{"<|pad|>", "<|user|>", "<|assistant|>", "<|end|>", "<|none|>", "<|next|>",
                                      "<|call:light_set|>", "<|call:stop|>"}));
  EXPECT_EQ(tokens.size(), 8U + 11U);
  EXPECT_EQ(task.contract.training_text("u", {{"light_set", {{"room", "a b"}, {"level", 5}}}}), " u\n 5\n a b");
}

TEST(PromptContract, ArgumentsStandAsTheUtteranceSaysThem) {
  const Task task("functional_tokens");
  const std::vector<Call> calls = {{"light_set", {{"level", 40}, {"room", "den"}, {"state", "on"}}}};
  EXPECT_EQ(task.text(task.respond(calls, "switch on the light in the den, level 40")),
            "<|call:light_set|><|state|> on<|room|> den<|level|> 40<|end|>");
  EXPECT_EQ(task.text(task.respond(calls, "den on at forty")),
            "<|call:light_set|><|room|> den<|state|> on<|level|> 40<|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"room", "r"}, {"tags", {"a b", "c"}}}}}, "tag a b and c in r")),
            "<|call:light_set|><|tags|> a b and c<|room|> r<|end|>");
  EXPECT_EQ(task.text(task.respond({{"light_set", {{"room", "r"}, {"tags", {"a and b", "c"}}}}}, "a and b in r")),
            "<|call:light_set|><|tags|><|next|> a and b<|next|> c<|room|> r<|end|>");
  const PromptContract alphabetical("functional_tokens", tools(), {.argument_order = "alphabetical"});
  EXPECT_EQ(task.text(alphabetical.response(task.tokenizer, "den on at 40", calls)),
            "<|call:light_set|><|level|> 40<|room|> den<|state|> on<|end|>");
  const Ids spoken = task.respond(calls, "den on at 40");
  EXPECT_EQ(calls_to_json(std::get<std::vector<Call>>(alphabetical.parse(task.tokenizer, spoken))).dump(),
            calls_to_json(calls).dump());
}

TEST(PromptContract, ValuesHaveTheUtterancesTokens) {
  const Task task("functional_tokens");
  const Ids prompt = task.contract.prompt(task.tokenizer, "kitchen light on");
  const Ids response = task.respond({{"light_set", {{"room", "kitchen"}}}});
  const Ids value(response.begin() + 2, response.end() - 1);
  EXPECT_EQ(value, task.tokenizer.encode(" kitchen"));
  EXPECT_TRUE(std::equal(value.begin(), value.end(), prompt.begin() + 1));
  EXPECT_EQ(value.size(), 1U);
}

TEST(PromptContract, WithoutAConjunctionListsStandItemByItem) {
  const PromptContract contract("functional_tokens", tools(), {.conjunction = ""});
  const Task task("functional_tokens");
  const Ids response = contract.response(task.tokenizer, "", {{"light_set", {{"room", "r"}, {"tags", {"a", "b"}}}}});
  EXPECT_EQ(task.text(response), "<|call:light_set|><|room|> r<|tags|><|next|> a<|next|> b<|end|>");
  EXPECT_TRUE(std::holds_alternative<std::vector<Call>>(contract.parse(task.tokenizer, response)));
  const Ids spoken = task.respond({{"light_set", {{"room", "r"}, {"tags", {"a", "b"}}}}});
  const auto parsed = contract.parse(task.tokenizer, spoken);
  ASSERT_TRUE(std::holds_alternative<Malformed>(parsed));
  EXPECT_TRUE(contains(std::get<Malformed>(parsed).reason, "does not stand item by item"));
}

TEST(PromptContract, SpellsJson) {
  const Task task("json");
  EXPECT_EQ(task.text(task.respond({{"stop", Json::object()}, {"stop", {{"room", "a\nb"}}}})),
            "{\"arguments\":{},\"name\":\"stop\"}\n{\"arguments\":{\"room\":\"a\\nb\"},\"name\":\"stop\"}<|end|>");
  EXPECT_EQ(task.text(task.respond({})), "<|end|>");
  EXPECT_EQ(task.contract.special_tokens().size(), 4U);
}

TEST(PromptContract, MalformedFunctionalResponses) {
  const Task task("functional_tokens");
  const std::pair<const char*, const char*> cases[] = {
      {"", "cut short"},
      {"<|end|>", "neither a call nor <|none|>"},
      {"<|none|>", "cut short"},
      {"<|none|> x<|end|>", "between <|none|> and <|end|>"},
      {"<|none|><|call:stop|><|end|>", "between <|none|> and <|end|>"},
      {"<|call:stop|><|none|><|end|>", "unexpected special token <|none|>"},
      {"<|call:stop|><|end|><|end|>", "goes on after <|end|>"},
      {"<|call:stop|><|end|> x", "goes on after <|end|>"},
      {"hello<|end|>", "text where a call"},
      {"<|call:stop|> hello<|end|>", "text between <|call:stop|> and its first argument"},
      {"<|room|> x<|end|>", "before any call"},
      {"<|call:stop|><|user|><|end|>", "unexpected special token <|user|>"},
      {"<|call:stop|><|room|> x<|pad|><|end|>", "unexpected special token <|pad|>"},
      {"<|call:stop|><|level|> 5<|end|>", "unknown argument \"level\" of stop"},
      {"<|call:stop|><|room|> x<|room|> y<|end|>", "stands twice"},
      {"<|call:light_set|><|level|> 5<|end|>", "lacks the required argument \"room\""},
      {"<|call:light_set|><|room|> x<|level|> five<|end|>", "argument \"level\" of light_set: not valid JSON"},
      {"<|call:light_set|><|room|> x<|level|><|end|>", "not valid JSON"},
      {"<|call:light_set|><|room|> x<|level|> 5.5<|end|>", "/level"},
      {"<|call:light_set|><|room|> x<|state|> dim<|end|>", "/state"},
      {"<|call:light_set|><|tags|><|next|> a<|next|> b<|end|>", "lacks the required argument \"room\""},
      {"<|call:light_set|><|tags|> a and b<|end|>", "lacks the required argument \"room\""},
      {"<|call:light_set|><|room|> x<|tags|> a<|tags|> b<|end|>", "stands twice"},
      {"<|call:light_set|><|room|> x<|tags|> a<|next|> b<|end|>", "<|next|> outside of a list"},
      {"<|call:light_set|><|tags|><|next|> a<|room|> x<|next|> b<|end|>", "<|next|> outside of a list"},
      {"<|call:light_set|><|room|> x<|tags|><|call:stop|><|next|> b<|end|>", "<|next|> outside of a list"},
      {"<|next|> b<|end|>", "<|next|> outside of a list"},
      {"<|call:light_set|><|room|> x<|mixed|> seven<|end|>", "argument \"mixed\""}};
  for (const auto& [response, reason] : cases)
    EXPECT_TRUE(contains(task.reason(std::string(response)), reason))
        << response << ": " << task.reason(std::string(response));
}

TEST(PromptContract, MalformedJsonResponses) {
  const Task task("json");
  const std::pair<const char*, const char*> cases[] = {
      {R"({"name":"stop","arguments":{}})", "cut short"},
      {"stop<|end|>", "not valid JSON"},
      {"[]<|end|>", "expected an object"},
      {R"({"name":"stop"}<|end|>)", "name and arguments"},
      {R"({"name":"stop","arguments":{},"id":1}<|end|>)", "name and arguments"},
      {R"({"name":"stop","arguments":"{}"}<|end|>)", "/0/arguments: expected an object"},
      {R"({"name":"go","arguments":{}}<|end|>)", "unknown tool \"go\""},
      {R"({"name":"stop","arguments":{"x":1}}<|end|>)", "unknown argument \"x\""},
      {R"({"name":"stop","arguments":{"room":1}}<|end|>)", "/room"},
      {R"({"name":"stop","arguments":{}}<|user|><|end|>)", "special token <|user|>"}};
  for (const auto& [response, reason] : cases)
    EXPECT_TRUE(contains(task.reason(std::string(response)), reason))
        << response << ": " << task.reason(std::string(response));
}

TEST(PromptContract, AnyTokensParseWithoutAnException) {
  for (const char* format : {"functional_tokens", "json"}) {
    const Task task(format);
    std::mt19937 random(11);
    const auto size = static_cast<unsigned>(task.tokenizer.vocabulary_size());
    const auto special = static_cast<unsigned>(task.contract.special_tokens().size());
    int malformed = 0;
    for (int round = 0; round < 2000; ++round) {
      Ids ids(random() % 12);
      for (text::TokenId& id : ids)
        id = static_cast<text::TokenId>(random() % 2 == 0 ? size - 1 - random() % special : random() % size) -
             (random() % 50 == 0);
      ids.push_back(task.contract.end_token(task.tokenizer));
      malformed += task.reason(ids).empty() ? 0 : 1;
    }
    EXPECT_GT(malformed, 1000);
    EXPECT_NE(task.reason(Ids{-1, 1 << 30, 5}), "");
  }
}

TEST(PromptContract, RefusesWhatItCannotSay) {
  const Task task("functional_tokens");
  const auto refusal = [&](const Call& call) { return error_of([&] { task.respond({call}); }); };
  EXPECT_TRUE(contains(refusal({"go", Json::object()}), "unknown tool \"go\""));
  EXPECT_TRUE(contains(refusal({"stop", {{"level", 1}}}), "no argument \"level\""));
  EXPECT_TRUE(contains(refusal({"stop", {{"room", 1}}}), "expected a string, found 1"));
  EXPECT_TRUE(contains(refusal({"stop", Json::array()}), "expected an object"));
  const text::Tokenizer bare = text::Tokenizer::parse(text::train_byte_level_bpe({}, {.vocabulary_size = 256}), "bare");
  EXPECT_TRUE(contains(error_of([&] { task.contract.prompt(bare, "x"); }), "no special token <|user|>"));
}

TEST(PromptContract, ConstructionAndJson) {
  EXPECT_TRUE(contains(error_of([] { PromptContract("xml", tools()); }), "found \"xml\""));
  auto twice = tools();
  twice.push_back(twice[0]);
  EXPECT_TRUE(contains(error_of([&] { PromptContract("json", twice); }), "\"light_set\" twice"));
  EXPECT_TRUE(contains(error_of([] { PromptContract("json", tools(), {.argument_order = "random"}); }),
                       "expected \"spoken\" or \"alphabetical\", found \"random\""));
  const PromptContract contract("functional_tokens", tools());
  const PromptContract again = PromptContract::from_json(contract.to_json(), "retort.json");
  EXPECT_EQ(again.to_json(), contract.to_json());
  EXPECT_EQ(again.special_tokens(), contract.special_tokens());
  EXPECT_TRUE(contains(error_of([] { PromptContract::from_json({{"format", "json"}}, "r.json"); }), "r.json"));
}

}  // namespace
}  // namespace retort::task
