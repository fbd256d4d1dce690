// Rejection sampling with a model and a reward made for the purpose: what is kept, counted, asked again and resumed.
#include "rft.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

namespace retort::stages {
namespace {

namespace fs = std::filesystem;

task::Example prompt(const std::string& text, std::optional<std::vector<task::Call>> label = std::nullopt) {
  return {text, std::move(label), {{"template", text}}};
}

runtime::Answer call(int level) {
  runtime::Answer answer;
  answer.parsed = std::vector<task::Call>{{"dim", {{"level", level}}}};
  answer.text = "dim " + std::to_string(level);
  return answer;
}

runtime::Answer broken() {
  runtime::Answer answer;
  answer.parsed = task::Malformed{"no call"};
  return answer;
}

/// A model that says what it is told, by prompt and round; a reward that gives level/100 and cannot score level 13.
struct World {
  std::map<std::string, std::vector<std::vector<runtime::Answer>>> says;
  std::vector<std::string> asked;
  std::vector<double> temperatures;
  std::set<std::uint64_t> seeds;
  int scored = 0;
  std::map<std::string, std::size_t> round;

  SampleAnswers sample() {
    return [this](const task::Conversation& asked_now, std::int64_t, double temperature, std::uint64_t seed) {
      const std::string text = asked_now.utterance();
      if (text == "too long") throw std::invalid_argument("its prompt is too long");
      asked.push_back(text);
      temperatures.push_back(temperature);
      seeds.insert(seed);
      return says.at(text).at(round[text]++);
    };
  }
  train::RewardFunction reward() {
    return [this](const std::vector<task::Tool>&, const std::vector<train::SampledAnswer>& answers) {
      std::vector<host::RewardItem> verdicts;
      for (const train::SampledAnswer& answer : answers) {
        ++scored;
        const auto level = std::get<std::vector<task::Call>>(answer.response)[0].arguments["level"].get<double>();
        if (level == 13) {
          verdicts.push_back({{}, false, "", "unlucky"});
        } else {
          verdicts.push_back({{level / 100}, false, "too dark", ""});
        }
      }
      return verdicts;
    };
  }
  RftResult run(const std::vector<task::Example>& prompts, RftOptions options, AnswerJournal* journal = nullptr,
                std::int64_t stop_at = -1) {
    std::int64_t calls = 0;
    const SampleAnswers sampler = sample();
    const train::RewardFunction scorer = reward();
    return rejection_sample(prompts, {}, sampler, scorer, options, journal, [&](std::int64_t, std::size_t) {
      if (calls++ == stop_at) throw std::runtime_error("stopped");
    });
  }
};

std::vector<int> levels(const std::vector<task::Example>& rows) {
  std::vector<int> all;
  for (const task::Example& row : rows) all.push_back((*row.calls)[0].arguments["level"].get<int>());
  return all;
}

RftOptions options_with(std::int64_t keep, std::int64_t rounds = 1) {
  RftOptions options;
  options.samples = 5;
  options.keep = keep;
  options.rounds = rounds;
  options.threshold = 0.5;
  return options;
}

}  // namespace

TEST(Rft, KeepsDifferentAcceptedAnswersAndCountsTheRest) {
  World world;
  world.says["a"] = {{call(60), call(60), call(90), broken(), call(10), call(13)}};
  const RftResult result = world.run({prompt("a")}, options_with(0));
  EXPECT_EQ(levels(result.rows), (std::vector<int>{90, 60}));
  EXPECT_EQ(result.sampled, 6);
  EXPECT_EQ(result.duplicates, 1);
  EXPECT_EQ(result.malformed, 1);
  EXPECT_EQ(result.refused, 1);
  EXPECT_EQ(result.unscored, 1);
  EXPECT_EQ(world.scored, 4);  // the duplicate is not scored again
  EXPECT_EQ(result.rows[0].metadata["template"], "a");
  EXPECT_EQ(result.rows[0].metadata["rft"]["score"], 0.9);
  EXPECT_TRUE(result.rejected.empty());
}

TEST(Rft, KeepsTheBestWhereFewAreWanted) {
  World world;
  world.says["a"] = {{call(60), call(90), call(70)}};
  EXPECT_EQ(levels(world.run({prompt("a")}, options_with(2)).rows), (std::vector<int>{90, 70}));
}

TEST(Rft, AsksAgainWhoHasNotEnough) {
  World world;
  world.says["easy"] = {{call(80)}, {}, {}};
  world.says["hard"] = {{call(20)}, {call(20), broken()}, {call(75)}};
  world.says["never"] = {{call(1)}, {call(2)}, {call(3)}};
  RftOptions options = options_with(1, 3);
  options.temperature_step = 0.5;
  const RftResult result = world.run({prompt("easy"), prompt("hard"), prompt("never")}, options);
  EXPECT_EQ(world.asked, (std::vector<std::string>{"easy", "hard", "never", "hard", "never", "hard", "never"}));
  EXPECT_EQ(world.temperatures, (std::vector<double>{1, 1, 1, 1.5, 1.5, 2, 2}));
  EXPECT_EQ(world.seeds.size(), 7u);  // no draw is made twice
  EXPECT_EQ(levels(result.rows), (std::vector<int>{80, 75}));
  EXPECT_EQ(result.rows[1].metadata["rft"]["round"], 2);
  EXPECT_EQ(result.duplicates, 1);
  EXPECT_EQ(result.solved_by_round, (std::vector<std::int64_t>{1, 1, 2}));
  ASSERT_EQ(result.rejected.size(), 1u);
  EXPECT_EQ(result.rejected[0].line, 3);
  EXPECT_NE(result.rejected[0].reason.find("0.03: too dark"), std::string::npos) << result.rejected[0].reason;
}

TEST(Rft, LabelsMayStandInForTheUnsolved) {
  World world;
  world.says["a"] = {{call(1)}};
  world.says["b"] = {{call(2)}};
  RftOptions options = options_with(1);
  options.unsolved = "label";
  const RftResult result =
      world.run({prompt("a", std::vector<task::Call>{{"dim", {{"level", 42}}}}), prompt("b")}, options);
  EXPECT_EQ(levels(result.rows), (std::vector<int>{42}));
  EXPECT_FALSE(result.rows[0].metadata.contains("rft"));
  EXPECT_EQ(result.rejected.size(), 1u);  // b has no label
}

TEST(Rft, APromptThatCannotBeAskedIsRejectedAndTheOthersGoOn) {
  World world;
  world.says["a"] = {{call(90)}, {}};
  const RftResult result = world.run({prompt("too long"), prompt("a")}, options_with(1, 2));
  EXPECT_EQ(levels(result.rows), (std::vector<int>{90}));
  ASSERT_EQ(result.rejected.size(), 1u);
  EXPECT_NE(result.rejected[0].reason.find("too long"), std::string::npos);
}

TEST(Rft, GoesOnFromItsJournalWithTheSameRows) {
  const fs::path file = fs::path(::testing::TempDir()) / "rft_journal.jsonl";
  fs::remove(file);
  const auto world = [] {
    World made;
    made.says["a"] = {{call(90)}, {}};
    made.says["b"] = {{call(10)}, {call(70)}};
    return made;
  };
  const std::vector<task::Example> prompts = {prompt("a"), prompt("b")};
  World whole = world(), broken_off = world(), resumed = world();
  const RftResult expected = whole.run(prompts, options_with(1, 2));
  {
    AnswerJournal journal(file);
    EXPECT_THROW(broken_off.run(prompts, options_with(1, 2), &journal, 3), std::runtime_error);  // before the last
  }
  resumed.round["b"] = 1;
  AnswerJournal journal(file);
  const RftResult found = resumed.run(prompts, options_with(1, 2), &journal);
  EXPECT_EQ(resumed.asked, (std::vector<std::string>{"b"}));
  EXPECT_EQ(levels(found.rows), levels(expected.rows));
  EXPECT_EQ(found.sampled, expected.sampled);
  EXPECT_EQ(found.rows[1].metadata, expected.rows[1].metadata);
}

}  // namespace retort::stages
