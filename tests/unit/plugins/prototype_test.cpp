// The prototype's rejection sampling: with components made for the purpose, then with the home's own.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "fixtures.h"
#include "function_call.h"
#include "grammar.h"
#include "home.h"
#include "host/base/files.h"
#include "labelled_rows.h"
#include "recorded.h"
#include "rules.h"
#include "tools.h"

namespace retort::stages {
namespace {

using nlohmann::json;

using Take = std::function<void(std::size_t, json)>;

PrototypeComponents home_components() {
  auto reward = std::make_shared<call_reward::FunctionCallReward>(call_reward::Scoring{});
  PrototypeComponents components;
  components.complete = [](std::string_view, std::string_view requests, std::size_t, const Take& take) {
    rules::complete(requests, 0, "",
                    [&](std::size_t index, const std::string& item) { take(index, json::parse(item)); });
  };
  components.score = [reward](std::string_view tools, std::string_view items, std::size_t, const auto& take) {
    reward->score(tools, items, [&](std::size_t index, const std::string& text) {
      const json item = json::parse(text);
      take(index, {{item["scores"]["score"]}, item.value("malformed", false), item["reason"], ""});
    });
  };
  components.execute = [](const json& calls) { return home::to_json(home::execute(calls)); };
  return components;
}

std::vector<task::Tool> home_tools() {
  return task::tools_from_json(home::tools(), "tools");
}

/// A teacher that answers every request with `answer`.
PrototypeComponents always(const json& answer) {
  PrototypeComponents components = home_components();
  components.complete = [answer](std::string_view, std::string_view, std::size_t count, const Take& take) {
    for (std::size_t i = count; i-- > 0;) take(i, answer);
  };
  return components;
}

json answer_of(const json& message, const char* finish_reason) {
  return {{"choices", {{{"message", message}, {"finish_reason", finish_reason}}}}};
}

json message_with(const char* name, const char* arguments) {
  return answer_of(
      {{"role", "assistant"},
       {"content", nullptr},
       {"tool_calls", {{{"id", "1"}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}}}}},
      "tool_calls");
}

const std::vector<task::Example> kOne = {{"do it", std::nullopt, {{"template", "x"}}}};
const auto kNoProgress = [](std::size_t) {};

TEST(Prototype, KeepsWhatTheRewardAccepts) {
  const Labelled result =
      label(kOne, home_tools(), always(message_with("vacuum_dock", "{}")), PrototypeOptions{}, kNoProgress);
  ASSERT_EQ(result.accepted.size(), 1U);
  EXPECT_EQ(result.accepted[0].calls->front().name, "vacuum_dock");
  EXPECT_EQ(result.accepted[0].metadata["template"], "x");
  EXPECT_TRUE(result.rejected.empty());
}

TEST(Prototype, SaysWhyItRejects) {
  const std::map<std::string, json> responses = {
      {"teacher_error", {{"error", "rate limit"}}},
      {"refused", answer_of({{"role", "assistant"}, {"content", nullptr}, {"refusal", "cannot"}}, "stop")},
      {"malformed", message_with("vacuum_dock", "{not json")},
      {"schema", message_with("blinds_set", R"({"room":"office","position":400})")},
      {"execution", message_with("blinds_set", R"({"room":"garage","position":1})")}};
  for (const auto& [kind, response] : responses) {
    const Labelled result = label(kOne, home_tools(), always(response), PrototypeOptions{}, kNoProgress);
    EXPECT_TRUE(result.accepted.empty()) << kind;
    ASSERT_EQ(result.rejected.size(), 1U) << kind;
    EXPECT_EQ(result.rejected[0].line, 1) << kind;
    EXPECT_EQ(result.rejected[0].reason.rfind(kind + ": ", 0), 0U) << result.rejected[0].reason;
    EXPECT_EQ(result.rejected_by.at(kind), 1) << kind;
    EXPECT_EQ(task::from_row(json::parse(result.rejected[0].text)).utterance(), "do it");
  }
}

TEST(Prototype, ReplaysAndJudgesAgainstLabels) {
  const std::vector<task::Example> labelled = {{"dock", std::vector<task::Call>{{"vacuum_dock", json::object()}}, {}}};
  PrototypeComponents components = home_components();
  components.complete = [](std::string_view, std::string_view requests, std::size_t, const Take& take) {
    recorded::complete(requests, [&](std::size_t index, const std::string& item) { take(index, json::parse(item)); });
  };
  PrototypeOptions options;
  options.reference = true;
  EXPECT_EQ(label(labelled, home_tools(), components, options, kNoProgress).accepted.size(), 1U);
  const PrototypeComponents wrong = always(message_with("music_control", R"({"action":"stop"})"));
  const Labelled result = label(labelled, home_tools(), wrong, options, kNoProgress);
  EXPECT_EQ(result.rejected_by.at("score"), 1);
  EXPECT_EQ(label(labelled, home_tools(), wrong, PrototypeOptions{}, kNoProgress).accepted.size(), 1U);
}

TEST(Prototype, AnAnswerThatWasCutOffOrWithheldIsNotKept) {
  json cut = message_with("vacuum_dock", "{}");
  cut["choices"][0]["finish_reason"] = "length";
  EXPECT_EQ(label(kOne, home_tools(), always(cut), PrototypeOptions{}, kNoProgress).rejected_by.at("length"), 1);
  cut["choices"][0]["finish_reason"] = "content_filter";
  EXPECT_EQ(label(kOne, home_tools(), always(cut), PrototypeOptions{}, kNoProgress).rejected_by.at("refused"), 1);
}

TEST(Prototype, AnItemThatTheRewardCannotScoreIsRejected) {
  PrototypeComponents components = always(message_with("vacuum_dock", "{}"));
  components.score = [](std::string_view, std::string_view, std::size_t, const auto& take) {
    take(0, {{}, false, "", "the judge was away"});
  };
  const Labelled result = label(kOne, home_tools(), components, PrototypeOptions{}, kNoProgress);
  EXPECT_EQ(result.rejected_by.at("reward_error"), 1);
  EXPECT_EQ(result.rejected.at(0).reason, "reward_error: the judge was away");
}

/// Utterances that the rules understand, each with another answer.
std::vector<task::Example> volumes() {
  std::vector<task::Example> examples;
  for (int level = 1; level <= 40; ++level)
    examples.push_back({"set the volume to " + std::to_string(level) + " percent", std::nullopt, {}});
  return examples;
}

/// The home's components, with a teacher that counts what it is asked and breaks after `answers` answers.
PrototypeComponents counting(std::size_t& asked, std::size_t answers) {
  PrototypeComponents components = home_components();
  components.complete = [&asked, answers, ask = components.complete](std::string_view tools, std::string_view requests,
                                                                     std::size_t count, const Take& take) {
    ask(tools, requests, count, [&](std::size_t index, json answer) {
      if (asked == answers) throw std::runtime_error("the connection broke");
      ++asked;
      take(index, std::move(answer));
    });
  };
  return components;
}

std::string dump(const Labelled& labelled) {
  std::string text;
  for (const task::Example& example : labelled.accepted) text += task::to_row(example).dump() + "\n";
  for (const task::RejectedRow& row : labelled.rejected)
    text += std::to_string(row.line) + row.reason + row.text + "\n";
  return text;
}

TEST(Prototype, ARunThatWasKilledAsksOnlyForWhatItDidNotGet) {
  const tests::TemporaryFolder folder;
  PrototypeOptions options;
  options.batch_size = 16;
  std::size_t once = 0;
  const std::string whole = dump(label(volumes(), home_tools(), counting(once, 1000), options, kNoProgress));
  EXPECT_EQ(once, 40U);

  std::size_t first = 0, second = 0, third = 0;
  struct Stop {};
  {  // stopped between batches
    AnswerJournal journal(folder / "answers.jsonl");
    options.journal = &journal;
    EXPECT_THROW(label(volumes(), home_tools(), counting(first, 1000), options, [](std::size_t) { throw Stop(); }),
                 Stop);
    EXPECT_EQ(first, 16U);
  }
  {  // broken in the middle of a batch
    AnswerJournal journal(folder / "answers.jsonl");
    EXPECT_EQ(journal.size(), 16U);
    options.journal = &journal;
    EXPECT_THROW(label(volumes(), home_tools(), counting(second, 5), options, kNoProgress), std::runtime_error);
    EXPECT_EQ(second, 5U);
  }
  AnswerJournal journal(folder / "answers.jsonl");
  EXPECT_EQ(journal.size(), 21U);
  options.journal = &journal;
  EXPECT_EQ(dump(label(volumes(), home_tools(), counting(third, 1000), options, kNoProgress)), whole);
  EXPECT_EQ(first + second + third, 40U);
}

TEST(Prototype, NoMoreThanAWindowOfTheRowsIsHeld) {
  constexpr std::size_t all = 1000, window = 16;
  std::size_t read = 0, done = 0, most = 0, accepted = 0;
  PrototypeOptions options;
  options.batch_size = window;
  PrototypeComponents components = home_components();
  components.complete = [&, ask = components.complete](std::string_view tools, std::string_view requests,
                                                       std::size_t count, const Take& take) {
    most = std::max(most, read - done);
    EXPECT_LE(count, window);
    ask(tools, requests, count, take);
  };
  const RowStream stream{[&](task::Example& example) {
                           example = {"set the volume to " + std::to_string(read % 100) + " percent", std::nullopt, {}};
                           return read < all && ++read > 0;
                         },
                         [&](const task::Example&) { ++accepted; }, [](const task::RejectedRow&) {},
                         [&](std::size_t rows) {
                           done = rows;
                           EXPECT_EQ(accepted, rows);  // written before the next window is read
                         }};
  const LabelCounts counts = label(stream, home_tools(), components, options);
  EXPECT_EQ(counts.rows, 1000);
  EXPECT_EQ(counts.accepted, 1000);
  EXPECT_EQ(most, window);
}

TEST(Prototype, ErrorsOfTheTeacherAreAskedForAgain) {
  const tests::TemporaryFolder folder;
  AnswerJournal journal(folder / "answers.jsonl");
  PrototypeOptions options;
  options.journal = &journal;
  label(kOne, home_tools(), always({{"error", "rate limit"}}), options, kNoProgress);
  EXPECT_EQ(AnswerJournal(folder / "answers.jsonl").size(), 0U);
  label(kOne, home_tools(), always(message_with("vacuum_dock", "{}")), options, kNoProgress);
  EXPECT_EQ(AnswerJournal(folder / "answers.jsonl").size(), 1U);
}

TEST(AnswerJournal, KeepsWholeLinesOfTheSameRequest) {
  const tests::TemporaryFolder folder;
  const auto file = folder / "answers.jsonl";
  {
    AnswerJournal journal(file);
    journal.add(3, "three", {{"choices", 3}});
    journal.add(4, "four", {{"choices", "\xff"}});
    journal.sync();
  }
  host::write_file_atomically(file, host::read_file(file) + R"({"row":5,"request":"00)");  // cut short
  {
    AnswerJournal journal(file);
    EXPECT_EQ(journal.size(), 2U);
    EXPECT_EQ(journal.find(3, "three"), (json{{"choices", 3}}));
    EXPECT_FALSE(journal.find(3, "another question").has_value());
    EXPECT_FALSE(journal.find(5, "five").has_value());
    journal.add(5, "five", {{"choices", 5}});
  }
  EXPECT_EQ(AnswerJournal(file).find(5, "five"), (json{{"choices", 5}}));
  EXPECT_THROW(AnswerJournal(folder.path() / "no" / "file"), std::runtime_error);
}

TEST(Prototype, LabelsTheHomeWithRules) {
  std::map<std::string, json> gold;
  std::vector<task::Example> unlabelled;
  for (const home::Utterance& utterance : home::Grammar().generate(home::Split::train, 1500, 21)) {
    gold[utterance.text] = utterance.calls;
    unlabelled.push_back({utterance.text, std::nullopt, {{"template", utterance.template_id}}});
  }
  PrototypeOptions options;
  options.batch_size = 64;
  std::size_t done = 0;
  const Labelled result =
      label(unlabelled, home_tools(), home_components(), options, [&](std::size_t rows) { done = rows; });
  EXPECT_EQ(done, unlabelled.size());
  EXPECT_EQ(result.accepted.size() + result.rejected.size(), unlabelled.size());
  EXPECT_GE(result.accepted.size() * 10, unlabelled.size() * 9);
  EXPECT_GE(result.rejected.size(), 1U);
  std::size_t wrong = 0;
  for (const task::Example& example : result.accepted) {
    wrong += task::calls_to_json(*example.calls) == gold.at(example.utterance()) ? 0 : 1;
  }
  EXPECT_LE(wrong * 100, result.accepted.size());
}

}  // namespace
}  // namespace retort::stages
