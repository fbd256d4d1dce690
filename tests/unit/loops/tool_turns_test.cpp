// Rollouts of several turns: calls are executed between answers, their results are read and not learnt, and what can
// only be known from a result is learnt from rewards.
#include "train/tool_turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <retort/host.hpp>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/plugin/plugin_error.h"
#include "policy_fixture.h"
#include "train/response_signals.h"

namespace retort::train {
namespace {

using nlohmann::json;
using testing::FakeRl;
using testing::Recorder;
using testing::SeenRl;
namespace fs = std::filesystem;

/// Every session hides one of two colours. "look" tells it; "paint" fails unless it was looked up and is named.
struct ColourWorld {
  struct World {
    std::string colour;
    bool looked = false;
  };
  std::deque<World> worlds;
  bool tells = true;    ///< else "look" answers nothing
  std::string padding;  ///< behind what "look" tells
  std::int64_t executed = 0, open = 0;
  host::EnvironmentCall call();
};

ColourWorld& colours_of(retort_instance* instance) {
  return *reinterpret_cast<ColourWorld*>(instance);
}

retort_error* colour_tools(retort_instance*, const retort_text_sink* tools) {
  tools->write(tools->context, host::to_abi("[]"));
  return nullptr;
}

retort_error* colour_start(retort_instance* instance, retort_string, retort_session** out) {
  ColourWorld& all = colours_of(instance);
  ++all.open;
  const std::uint64_t drawn = SeededSequence(all.worlds.size(), 7).next();
  all.worlds.push_back({drawn % 2 == 0 ? "red" : "blue"});
  *out = reinterpret_cast<retort_session*>(&all.worlds.back());
  return nullptr;
}

retort_error* colour_execute(retort_instance* instance, retort_session* session, retort_string calls,
                             const retort_text_sink* outcome) {
  ColourWorld& all = colours_of(instance);
  auto& world = *reinterpret_cast<ColourWorld::World*>(session);
  json results = json::array();
  bool good = true;
  for (const json& call : json::parse(host::to_std(calls))) {
    ++all.executed;
    const bool look = call.at("name") == "look";
    const bool ok = look || (world.looked && call.at("arguments").value("colour", "") == world.colour);
    world.looked = world.looked || look;
    good = good && ok;
    const std::string said = look ? (all.tells ? world.colour : "nothing") + all.padding : "done";
    results.push_back({{"ok", ok}, {"content", ok ? said : "wrong"}});
  }
  const std::string text = json{
      {"ok", good},
      {"error", good ? json() : json("wrong")},
      {"results", results},
      {"state", world.colour}}.dump();
  outcome->write(outcome->context, host::to_abi(text));
  return nullptr;
}

void colour_end(retort_instance* instance, retort_session*) {
  --colours_of(instance).open;
}

const retort_environment_v1 colour_environment{
    RETORT_ENVIRONMENT_V1_SIZE, 0, colour_tools, nullptr, colour_start, colour_execute, nullptr, colour_end};

host::EnvironmentCall ColourWorld::call() {
  return {"environment.colours", reinterpret_cast<retort_instance*>(this), colour_environment};
}

json string_tool(const char* name, const char* argument) {
  const json schema = {{"type", "object"}, {"properties", {{argument, {{"type", "string"}}}}}};
  return {{"type", "function"}, {"function", {{"name", name}, {"description", ""}, {"parameters", schema}}}};
}

/// A policy that looks first and then paints in a colour that has nothing to do with what it saw.
class ColourPlace {
 public:
  ColourPlace() : dataset_(root_.path() / "dataset"), policy_(root_.path() / "policy") {
    fs::create_directories(dataset_);
    fs::create_directories(policy_);
    host::write_json(dataset_ / "tools.json",
                     json::array({string_tool("look", "room"), string_tool("paint", "colour")}));
    std::vector<task::Example> examples;
    for (const char* room : {"kitchen", "hall", "garage", "bath"})
      for (const char* seen : {"red", "blue"})
        for (const char* painted : {"red", "blue"}) {
          const std::vector<task::Call> look{{"look", {{"room", room}}}}, paint{{"paint", {{"colour", painted}}}};
          task::Example first("paint the " + std::string(room), look);
          task::Example second = first;
          second.messages.push_back(task::answer_of(first));
          second.messages.push_back({.role = task::Role::tool,
                                     .content = seen,
                                     .tool_call_id = second.messages.back().tool_calls.front().id,
                                     .name = "look"});
          second.calls = paint;
          examples.push_back(std::move(first));
          examples.push_back(std::move(second));
        }
    task::write_split(dataset_ / "train.jsonl", examples);
    FineTuningJob job;
    fill(job, "start", 60);
    job.training.batch_size = 16;
    job.training.learning_rate = 1e-2;
    job.output = policy_;
    job.model = {.vocabulary_size = 300,
                 .hidden_size = 32,
                 .layers = 2,
                 .heads = 2,
                 .kv_heads = 2,
                 .intermediate_size = 48,
                 .max_positions = 64};
    Recorder recorder;
    fine_tune(job, recorder.hooks());
    // Only the questions stay: what follows them is the rollouts' business.
    std::vector<task::Example> questions;
    for (const task::Example& example : examples)
      if (example.messages.size() == 1) questions.push_back(example);
    task::write_split(dataset_ / "train.jsonl", questions);
  }

  PolicyGradientJob job(const std::string& name, std::int64_t steps, FakeRl& fake, ColourWorld& world) const {
    PolicyGradientJob made;
    fill(made, name, steps);
    made.policy = policy_;
    made.algorithm.push_back(fake.call());
    made.max_new_tokens = 12;
    made.max_turns = 2;
    made.environment.emplace(world.call());
    made.reward = [](const std::vector<task::Tool>&, const std::vector<SampledAnswer>& answers) {
      std::vector<host::RewardItem> items(answers.size());
      for (std::size_t i = 0; i < items.size(); ++i) {
        const json& done = answers[i].execution;
        const bool painted = !done.is_null() && done.at("results").size() == 2 && done.at("ok").get<bool>() &&
                             done.at("results")[1].at("content") == "done";
        items[i].scores = {painted ? 1.0 : -1.0};
      }
      return items;
    };
    return made;
  }
  const fs::path& policy() const { return policy_; }

 private:
  void fill(TrainingJob& job, const std::string& name, std::int64_t steps) const {
    job.dataset = dataset_;
    job.validation_limit = 0;
    job.training.learning_rate = 1e-3;
    job.training.weight_decay = 0;
    job.training.warmup_fraction = 0;
    job.training.gradient_clip = 0;
    job.training.batch_size = 2;
    job.training.steps = steps;
    job.training.checkpoint_steps = 1;
    job.seed = 5;
    job.output = root_.path() / name / "output";
    job.work = root_.path() / name / "work";
    fs::create_directories(job.output);
    fs::create_directories(job.work);
  }
  runtime::testing::TemporaryFolder root_;
  fs::path dataset_, policy_;
};

struct ToolTurnsLoop : ::testing::Test {
  static void SetUpTestSuite() { place = std::make_unique<ColourPlace>(); }
  static void TearDownTestSuite() { place.reset(); }
  static std::unique_ptr<ColourPlace> place;

  FakeRl fake;
  ColourWorld world;
  Recorder recorder;
  std::vector<SampledAnswer> answers;
  std::vector<Sequence> sequences;  ///< with the masks that they must have

  /// Keeps answers and their tokens; everything from the first answer's end to <|assistant|> is a result's.
  void watch(PolicyGradientJob& job) {
    job.token_reward = [this, &job](const std::vector<SampledAnswer>& asked,
                                    const std::vector<std::vector<text::TokenId>>& responses) {
      const CallModule module = load_call_module(job.policy);
      answers = asked;
      sequences.clear();
      std::vector<std::vector<float>> rewards;
      for (std::size_t row = 0; row < responses.size(); ++row) {
        Sequence sequence{module.contract.prompt(module.tokenizer, asked[row].example->utterance()), responses[row], 0};
        sequence.mask.assign(sequence.prompt.size(), 0.0F);
        bool own = true;
        for (const text::TokenId token : responses[row]) {
          own = own && module.tokenizer.token(token) != "<|tool|>";
          sequence.mask.push_back(own ? 1.0F : 0.0F);
          own = own || module.tokenizer.token(token) == "<|assistant|>";
        }
        sequences.push_back(std::move(sequence));
        rewards.emplace_back(responses[row].size(), 1.0F);
      }
      return rewards;
    };
  }
};
std::unique_ptr<ColourPlace> ToolTurnsLoop::place;

constexpr std::uint64_t all_signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS | RETORT_SIGNAL_VALUES |
                                      RETORT_SIGNAL_ENTROPIES | RETORT_SIGNAL_TOKEN_REWARDS |
                                      RETORT_SIGNAL_SAMPLER_LOG_PROBS;

TEST_F(ToolTurnsLoop, ResultsStandBetweenTheAnswersAndOutsideOfEverything) {
  fake.wanted.group_size = 4;
  fake.wanted.signals = all_signals;
  PolicyGradientJob job = place->job("shown", 1, fake, world);
  watch(job);
  policy_gradient(job, recorder.hooks());
  const CallModule module = load_call_module(place->policy());
  const SeenRl &before = fake.advantages.at(0), &now = fake.losses.at(0);
  std::int64_t own = 0, read = 0, two = 0;
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    const Sequence& sequence = sequences[row];
    const std::vector<double> expected = testing::reference_log_probs(place->policy(), sequence, 1);
    std::string between;
    for (std::size_t t = 0; t < sequence.response.size(); ++t) {
      const std::size_t cell = row * static_cast<std::size_t>(before.positions) + t;
      const float mask = sequence.mask[sequence.prompt.size() + t];
      EXPECT_EQ(before.tensors.at("mask")[cell], mask) << row << ", " << t;
      EXPECT_EQ(before.tensors.at("token_rewards")[cell], mask);
      if (mask == 0) {
        between += module.tokenizer.token_bytes(sequence.response[t]);
        for (const char* name : {"old_log_probs", "sampler_log_probs", "reference_log_probs", "old_values"})
          EXPECT_EQ(before.tensors.at(name)[cell], 0) << name << " of row " << row << ", token " << t;
        for (const char* name : {"log_probs", "values", "entropies"}) EXPECT_EQ(now.tensors.at(name)[cell], 0) << name;
        ++read;
        continue;
      }
      ++own;
      for (const char* name : {"old_log_probs", "sampler_log_probs", "reference_log_probs"})
        EXPECT_NEAR(before.tensors.at(name)[cell], expected[t], 2e-4) << name << " of row " << row << ", token " << t;
    }
    if (answers[row].turns.empty()) continue;
    ++two;
    const std::vector<task::Message>& turns = answers[row].turns;
    const std::vector<task::IdentifiedCall>& calls = turns[0].tool_calls;
    ASSERT_EQ(turns.size(), 1 + calls.size());
    std::string results;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(turns[1 + i].tool_call_id, calls[i].id);
      if (calls[i].call.name == "look") {
        EXPECT_EQ(turns[1 + i].content, answers[row].execution.at("state").get<std::string>());
      }
      results += "<|tool|> " + turns[1 + i].content;
    }
    EXPECT_EQ(between, results + "<|assistant|>");
  }
  EXPECT_GE(two, 6) << "of 8 rollouts";
  EXPECT_GE(read, two * 3);
  EXPECT_EQ(now.batch.update_tokens, own);
  EXPECT_EQ(now.batch.maximum_tokens, 24);
  EXPECT_NEAR(recorder.metrics.at("response_tokens").at(0), static_cast<double>(own) / 8, 1e-6);
  EXPECT_NEAR(recorder.metrics.at("turns").at(0), 1 + static_cast<double>(two) / 8, 1e-6);
  EXPECT_EQ(world.open, 0);
}

/// −Σ A·log π / tokens over the policy's own tokens alone, position after position: what moves is what this says.
TEST_F(ToolTurnsLoop, TokensOfResultsCarryNoGradient) {
  fake.wanted.group_size = 4;
  PolicyGradientJob job = place->job("gradient", 1, fake, world);
  watch(job);
  policy_gradient(job, recorder.hooks());
  const std::vector<float> rewards = fake.advantages.at(0).tensors.at("rewards");
  const auto loss = [&](DecoderModule& decoder, bool with_results) {
    torch::Tensor sum = torch::zeros({}, torch::kFloat64);
    double tokens = 0;
    for (std::size_t row = 0; row < sequences.size(); ++row) {
      const Sequence& sequence = sequences[row];
      const auto behind = static_cast<std::ptrdiff_t>(sequence.prompt.size());
      const torch::Tensor mask =
          torch::tensor(std::vector<float>(sequence.mask.begin() + behind, sequence.mask.end())).to(torch::kFloat64);
      const torch::Tensor log_probs = testing::response_log_probs(decoder, sequence, 1);
      sum = sum - static_cast<double>(rewards[row]) * (with_results ? log_probs : log_probs * mask).sum();
      tokens += mask.sum().item<double>();
    }
    return sum / tokens;
  };
  testing::expect_first_step(place->policy(), job.output, 1e-3,
                             [&](DecoderModule& decoder) { return loss(decoder, false); });
  // The test can fail: with the results' tokens the gradient is another one.
  const CallModule module = load_call_module(place->policy());
  loss(*module.decoder, false).backward();
  const torch::Tensor embedding = module.decoder->weights().front().second;
  const torch::Tensor without = embedding.grad().clone();
  embedding.mutable_grad().zero_();
  loss(*module.decoder, true).backward();
  EXPECT_GT((embedding.grad() - without).abs().max().item<double>(), 1e-3);
}

TEST_F(ToolTurnsLoop, WhatOnlyAResultTellsIsLearntFromRewards) {
  fake.wanted.group_size = 8;
  const auto rewards_of = [&](const std::string& name, std::int64_t turns, bool tells) {
    ColourWorld own;
    own.tells = tells;
    Recorder seen;
    PolicyGradientJob job = place->job(name, 80, fake, own);
    job.max_turns = turns;
    job.training.learning_rate = 4e-3;
    job.training.checkpoint_steps = 0;
    job.training.batch_size = 4;
    policy_gradient(job, seen.hooks());
    const std::vector<double>& all = seen.metrics.at("reward");
    const double begin = std::accumulate(all.begin(), all.begin() + 5, 0.0) / 5;
    return std::pair(begin, std::accumulate(all.end() - 10, all.end(), 0.0) / 10);
  };
  const auto [begin, end] = rewards_of("told", 2, true);
  EXPECT_LT(begin, .4);
  EXPECT_GT(end, .8) << "from " << begin;
  EXPECT_LT(rewards_of("untold", 2, false).second, .5) << "a colour that nothing tells was known";
  EXPECT_EQ(rewards_of("one_turn", 1, true).second, -1) << "the reward needs two turns";
}

TEST_F(ToolTurnsLoop, ARunThatStoppedInTheMiddleOfABatchEndsWithTheSameBytes) {
  const auto job_of = [&](const std::string& name, FakeRl& algorithm, ColourWorld& own) {
    algorithm.wanted.group_size = 2;
    algorithm.wanted.updates = 2;
    algorithm.wanted.mini_batches = 2;
    algorithm.wanted.signals = RETORT_SIGNAL_VALUES | RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    return place->job(name, 1, algorithm, own);
  };
  FakeRl whole, half;
  ColourWorld first, second;
  const PolicyGradientJob undisturbed = job_of("undisturbed", whole, first), stopped = job_of("stopped", half, second);
  policy_gradient(undisturbed, recorder.hooks());
  Recorder until;
  RunHooks hooks = until.hooks();
  hooks.throw_if_stopped = [&] {
    if (until.step == 2) throw Stopped();
  };
  EXPECT_THROW(policy_gradient(stopped, hooks), Stopped);
  EXPECT_GT(second.executed, 0);
  const std::int64_t executed = second.executed;
  Recorder rest;
  policy_gradient(stopped, rest.hooks());
  EXPECT_EQ(second.executed, executed) << "calls were executed again";
  EXPECT_EQ(host::sha256_of_file(undisturbed.output / "model.safetensors"),
            host::sha256_of_file(stopped.output / "model.safetensors"));
}

TEST_F(ToolTurnsLoop, ResultsWithoutRoomEndTheRollout) {
  world.padding = std::string(400, 'x');
  fake.wanted.group_size = 4;
  PolicyGradientJob job = place->job("no_room", 1, fake, world);
  watch(job);
  policy_gradient(job, recorder.hooks());
  std::size_t called = 0;
  for (std::size_t row = 0; row < answers.size(); ++row) {
    EXPECT_TRUE(answers[row].turns.empty());
    if (answers[row].execution.is_null()) continue;
    ++called;
    EXPECT_EQ(fake.advantages.at(0).tensors.at("finished")[row], 0) << row;
  }
  EXPECT_GE(called, 6u);
  EXPECT_NEAR(recorder.metrics.at("cut_turns").at(0), static_cast<double>(called) / 8, 1e-6);
}

TEST_F(ToolTurnsLoop, RefusesByNameWhatCannotTakeTurns) {
  const auto message_of = [&](const PolicyGradientJob& job) -> std::string {
    try {
      policy_gradient(job, recorder.hooks());
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  PolicyGradientJob job = place->job("refused", 1, fake, world);
  job.max_turns = 0;
  EXPECT_NE(message_of(job).find("max_turns: expected at least 1, found 0"), std::string::npos) << message_of(job);
  job.max_turns = 2;
  job.environment.reset();
  EXPECT_NE(message_of(job).find("max_turns: expected an environment"), std::string::npos) << message_of(job);
  // A policy that has only ever seen one user message.
  const testing::Workplace single;
  PolicyGradientJob other = single.job<PolicyGradientJob>("one_message", 1);
  other.algorithm.push_back(fake.call());
  other.reward = job.reward;
  other.max_turns = 2;
  other.environment.emplace(world.call());
  EXPECT_NE(message_of(other).find("max_turns: this policy cannot read the results of its calls"), std::string::npos)
      << message_of(other);
  EXPECT_EQ(world.executed, 0);
}

}  // namespace
}  // namespace retort::train
