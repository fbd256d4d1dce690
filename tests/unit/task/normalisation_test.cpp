// Input normalisation: texts, labels, and the user's spelling in what comes back.
#include "task/normalisation.h"

#include "fixtures.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::task {
namespace {

using Json = nlohmann::json;

TEST(Normalisation, EachOptionDoesOneThing) {
  const std::tuple<NormalisationOptions, std::string, std::string> cases[] = {
      {{}, " Ünder 7PM. ", " Ünder 7PM. "},
      {{.letters = "lower"}, "ÜNDER Zürich", "ünder zürich"},
      {{.unicode = "nfc"}, "e\u0301", "é"},
      {{.unicode = "nfkc"}, "ﬁve １０", "five 10"},
      {{.marks = "plain"}, "“Ann’s” – 5…", "\"Ann's\" - 5..."},
      {{.ends = "strip"}, "  is it on?!  ", "is it on"},
      {{.ends = "strip"}, "...", "."},
      {{.numbers = "spaced"},
       "at 7pm, 10% of 3.5kg in a 20s clip at 8:30am",
       "at 7 pm, 10 % of 3.5 kg in a 20 s clip at 8:30 am"},
      {{.numbers = "spaced"}, "b2b, mp3, 7 pm, 4x4, 90s", "b2b, mp3, 7 pm, 4x4, 90 s"},
      {{.numbers = "joined"}, "at 7 pm, 10 % now, 5 people", "at 7pm, 10% now, 5 people"},
      {{.letters = "lower"}, "\xFF X", "\xFF X"},
      {{.apostrophes = "drop"}, "what's o'clock, 'now' or 5' l'été", "whats oclock, 'now' or 5' lété"},
  };
  for (const auto& [options, text, expected] : cases) EXPECT_EQ(normalised(text, options), expected) << text;
  EXPECT_THROW(normalisation_from_json({{"letters", "upper"}}, "task"), std::invalid_argument);
}

const std::vector<Tool> normalised_tools = {
    {"remind",
     "",
     {{"type", "object"},
      {"properties",
       {{"who", {{"type", "string"}}}, {"at", {{"type", "string"}}}, {"day", {{"enum", {"Monday", "Friday"}}}}}}}}};

TEST(Normalisation, LabelsThatAreFreeFollowTheText) {
  const NormalisationOptions options{.letters = "lower", .numbers = "spaced"};
  const std::vector<Call> calls = {{"remind", {{"who", "Ann"}, {"at", "7pm"}, {"day", "Monday"}}}};
  const auto learnt = normalised(calls, normalised_tools, options);
  EXPECT_EQ(learnt[0].arguments, (Json{{"who", "ann"}, {"at", "7 pm"}, {"day", "Monday"}}));
  EXPECT_EQ(restored(learnt, normalised_tools, conversation_of("Remind Ann on monday, 7pm!"), options), calls);
  // A task whose values are in lower case has them so, whatever the user wrote; apostrophes come back.
  const NormalisationOptions lower{.letters = "lower", .apostrophes = "drop", .values = "lower"};
  EXPECT_EQ(
      restored({{"remind", {{"who", "anns mum"}}}}, normalised_tools, conversation_of("Remind Ann's Mum"), lower)[0]
          .arguments["who"],
      "ann's mum");
  // What nobody said stays.
  EXPECT_EQ(restored({{"remind", {{"who", "tom"}}}}, normalised_tools, conversation_of("Remind Ann"), options)[0]
                .arguments["who"],
            "tom");
}

TEST(Normalisation, IsPartOfTheTask) {
  const NormalisationOptions options{.letters = "lower", .ends = "strip", .numbers = "spaced"};
  const PromptContract plain("functional_tokens", normalised_tools);
  EXPECT_FALSE(plain.to_json().contains("normalisation"));
  const PromptContract contract = PromptContract::from_json(plain.with(options).to_json(), "task");
  const text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({" remind ann"},
                                 {.vocabulary_size = 400, .special_tokens = contract.special_tokens()}),
      "the test's tokenizer");
  const Conversation asked = conversation_of("Remind ANN at 7pm.");
  EXPECT_EQ(tokenizer.decode(contract.prompt(tokenizer, asked), true), "<|user|> remind ann at 7 pm<|assistant|>");
  Message answer{.role = Role::assistant};
  answer.tool_calls.push_back({"", {"remind", {{"who", "ANN"}, {"at", "7pm"}}}});
  const auto response = contract.response(tokenizer, asked, answer);
  EXPECT_EQ(tokenizer.decode(response, true), "<|call:remind|><|who|> ann<|at|> 7 pm<|end|>");
  EXPECT_EQ(std::get<std::vector<Call>>(contract.parse(tokenizer, response, asked)), calls_of(answer));
}

}  // namespace
}  // namespace retort::task
