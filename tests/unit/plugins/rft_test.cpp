// Rejection sampling with a model and a reward made for the purpose: what is kept, counted, asked again and resumed.
#include "rft.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <retort/host.hpp>
#include <stdexcept>

#include "rft_turns.h"

namespace retort::stages {
namespace {

namespace fs = std::filesystem;

task::Example prompt(const std::string& text, std::optional<std::vector<task::Call>> label = std::nullopt) {
  return {text, std::move(label), {{"template", text}}};
}

SampledTurns call(int level) {
  SampledTurns answer;
  answer.parsed = std::vector<task::Call>{{"dim", {{"level", level}}}};
  answer.text = "dim " + std::to_string(level);
  return answer;
}

SampledTurns broken() {
  SampledTurns answer;
  answer.parsed = task::Malformed{"no call"};
  return answer;
}

/// A model that says what it is told, by prompt and round; a reward that gives level/100 and cannot score level 13.
struct World {
  std::map<std::string, std::vector<std::vector<SampledTurns>>> says;
  std::vector<std::string> asked;
  std::vector<double> temperatures;
  std::set<std::uint64_t> seeds;
  int scored = 0;
  std::map<std::string, std::size_t> round;

  SampleAnswers sample() {
    return [this](const task::Example& asked_now, std::int64_t, double temperature, std::uint64_t seed) {
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

/// A lamp that says how bright it is: every "dim" adds its level.
struct Lamp {
  std::int64_t sessions = 0, open = 0;
  host::EnvironmentCall call();
};

retort_error* lamp_tools(retort_instance*, const retort_text_sink* tools) {
  tools->write(tools->context, to_abi(std::string_view("[]")));
  return nullptr;
}
retort_error* lamp_start(retort_instance* instance, retort_string, retort_session** out) {
  auto& lamp = *reinterpret_cast<Lamp*>(instance);
  ++lamp.sessions;
  ++lamp.open;
  *out = reinterpret_cast<retort_session*>(new int(0));
  return nullptr;
}
retort_error* lamp_execute(retort_instance*, retort_session* session, retort_string calls,
                           const retort_text_sink* outcome) {
  int& level = *reinterpret_cast<int*>(session);
  nlohmann::json results = nlohmann::json::array();
  for (const nlohmann::json& call : nlohmann::json::parse(calls.data, calls.data + calls.size)) {
    level += call["arguments"]["level"].get<int>();
    results.push_back({{"ok", true}, {"content", "now " + std::to_string(level)}});
  }
  const std::string text =
      nlohmann::json{{"ok", true}, {"error", nullptr}, {"results", results}, {"state", std::to_string(level)}}.dump();
  outcome->write(outcome->context, to_abi(text));
  return nullptr;
}
void lamp_end(retort_instance* instance, retort_session* session) {
  --reinterpret_cast<Lamp*>(instance)->open;
  delete reinterpret_cast<int*>(session);
}
const retort_environment_v1 lamp_environment{
    RETORT_ENVIRONMENT_V1_SIZE, 0, lamp_tools, nullptr, lamp_start, lamp_execute, nullptr, lamp_end};

host::EnvironmentCall Lamp::call() {
  return {"environment.lamp", reinterpret_cast<retort_instance*>(this), lamp_environment};
}

SampledTurns no_call() {
  SampledTurns answer;
  answer.parsed = std::vector<task::Call>{};
  return answer;
}

/// Dims by 10, 20 or 30 by its seed, reads how bright it is, and goes on until that is at least 40.
struct Dimmer {
  std::vector<std::vector<std::string>> read;  ///< roles of each conversation that it was asked with
  std::size_t most_messages = 100;
  std::vector<runtime::Answer> operator()(const task::Conversation& asked, std::int64_t count, double,
                                          std::uint64_t seed) {
    if (asked.messages.size() > most_messages) throw std::invalid_argument("the context holds no more");
    std::vector<std::string>& roles = read.emplace_back();
    for (const task::Message& message : asked.messages)
      roles.push_back(message.role == task::Role::tool ? message.content
                                                       : (message.role == task::Role::user ? "user" : "assistant"));
    std::vector<runtime::Answer> answers;
    for (std::int64_t i = 0; i < count; ++i) {
      const bool bright = roles.size() > 1 && std::stoi(roles.back().substr(4)) >= 40;
      answers.push_back(bright ? no_call()
                               : call(static_cast<int>((seed + static_cast<std::uint64_t>(i)) % 3 + 1) * 10));
    }
    return answers;
  }
};

TEST(RftTurns, ResultsAreReadBetweenAnswersInAWorldOfEachSample) {
  Lamp lamp;
  Dimmer dimmer;
  const AnswerConversation answer = std::ref(dimmer);
  const std::vector<SampledTurns> samples =
      answer_with_tools(answer, lamp.call(), prompt("brighter"), {.count = 3, .seed = 6, .max_turns = 8});
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(lamp.sessions, 3);
  EXPECT_EQ(lamp.open, 0);
  for (const SampledTurns& sample : samples) {
    EXPECT_TRUE(std::get<std::vector<task::Call>>(sample.parsed).empty());
    int level = 0;
    for (std::size_t i = 0; i < sample.turns.size(); i += 2) {
      level += task::calls_of(sample.turns[i]).at(0).arguments["level"].get<int>();
      EXPECT_EQ(sample.turns[i + 1].role, task::Role::tool);
      EXPECT_EQ(sample.turns[i + 1].content, "now " + std::to_string(level));
    }
    EXPECT_GE(level, 40);
    EXPECT_EQ(sample.execution["state"], std::to_string(level));
    EXPECT_EQ(sample.execution["results"].size(), sample.turns.size() / 2);
  }
  EXPECT_NE(samples[0].execution["results"], samples[1].execution["results"]);
  // The last turn's calls are executed and not answered to.
  const std::vector<SampledTurns> cut =
      answer_with_tools(answer, lamp.call(), prompt("brighter"), {.count = 1, .seed = 6, .max_turns = 2});
  EXPECT_EQ(cut[0].turns.size(), 2u);
  EXPECT_EQ(cut[0].execution["results"].size(), 2u);
  EXPECT_FALSE(std::get<std::vector<task::Call>>(cut[0].parsed).empty());
  // A conversation that the model cannot be asked with is malformed, and the others go on.
  dimmer.most_messages = 3;
  const std::vector<SampledTurns> full =
      answer_with_tools(answer, lamp.call(), prompt("brighter"), {.count = 1, .seed = 6, .max_turns = 8});
  EXPECT_NE(std::get<task::Malformed>(full[0].parsed).reason.find("context holds no more"), std::string::npos);
}

TEST(RftTurns, EveryAnswerOfAnAcceptedSampleIsARowThatReadsTheResults) {
  Lamp lamp;
  Dimmer dimmer;
  const AnswerConversation answer = std::ref(dimmer);
  RftOptions options = options_with(1);
  options.samples = 1;
  options.max_turns = 8;
  const std::vector<task::Example> prompts = {prompt("brighter")};
  const SampleAnswers sample = [&](const task::Example& asked, std::int64_t count, double, std::uint64_t) {
    return answer_with_tools(answer, lamp.call(), asked, {.count = count, .seed = 7, .max_turns = 8});
  };
  const train::RewardFunction reward = [](const std::vector<task::Tool>&,
                                          const std::vector<train::SampledAnswer>& answers) {
    std::vector<host::RewardItem> verdicts;
    for (const train::SampledAnswer& one : answers)
      verdicts.push_back({{one.execution["ok"] == true && !one.turns.empty() ? 1.0 : 0.0}, false, "", ""});
    return verdicts;
  };
  const auto ignore = [](std::int64_t, std::size_t) {};
  const RftResult result = rejection_sample(prompts, {}, sample, reward, options, nullptr, ignore);
  ASSERT_GE(result.rows.size(), 3u);  // two calls at least, and the answer that ends it
  for (std::size_t turn = 0; turn < result.rows.size(); ++turn) {
    const task::Example& row = result.rows[turn];
    EXPECT_EQ(row.messages.size(), 1 + 2 * turn);
    EXPECT_EQ(row.calls->empty(), turn + 1 == result.rows.size());
    EXPECT_EQ(row.metadata["rft"]["turn"], turn + 1);
    // Read back, it teaches that one answer alone: earlier ones and the tools' results stand before it.
    const std::vector<task::Example> read = [&] {
      const fs::path file = fs::path(testing::TempDir()) / "rft_turns.jsonl";
      task::write_split(file, {row});
      return task::read_split(file, 0, task::Turns::all).examples;
    }();
    ASSERT_EQ(read.size(), 1u);
    EXPECT_EQ(read[0].messages.size(), row.messages.size());
    EXPECT_EQ(read[0].calls->size(), row.calls->size());
  }
  EXPECT_EQ(result.solved, 1);
  EXPECT_EQ(result.sampled, 1);
}

}  // namespace retort::stages
