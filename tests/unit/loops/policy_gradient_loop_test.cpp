// The policy-gradient loop as a unit, with an algorithm, a reward and an environment of the test: what the algorithm is
// shown, and what becomes of its gradient.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <retort/host.hpp>
#include <set>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "policy_fixture.h"
#include "train/policy_diagnosis.h"
#include "train/response_signals.h"
#include "train/teacher_reward.h"

namespace retort::train {
namespace {

using testing::FakeRl;
using testing::Recorder;
using testing::SeenRl;
using testing::Workplace;

/// Scores answers by their number in the batch, and keeps what was asked and answered.
struct Scores {
  std::vector<std::vector<double>> of_row;
  std::vector<SampledAnswer> answers;   ///< whose examples are gone with the run
  std::vector<std::string> utterances;  ///< of the answers' examples
  std::vector<std::vector<text::TokenId>> responses;
  void give_to(PolicyGradientJob& job, bool with_tokens = true) {
    job.reward = [this](const std::vector<task::Tool>&, const std::vector<SampledAnswer>& asked) {
      answers = asked;
      utterances.clear();
      for (const SampledAnswer& answer : asked) utterances.push_back(answer.example->utterance());
      std::vector<host::RewardItem> items(asked.size());
      for (std::size_t i = 0; i < items.size(); ++i) items[i].scores = of_row.at(i % of_row.size());
      return items;
    };
    if (!with_tokens) return;
    job.token_reward = [this](const std::vector<SampledAnswer>&,
                              const std::vector<std::vector<text::TokenId>>& tokens) {
      responses = tokens;
      std::vector<std::vector<float>> rewards;
      for (const auto& row : tokens) {
        rewards.emplace_back();
        for (std::size_t t = 0; t < row.size(); ++t) rewards.back().push_back(static_cast<float>(t + 1));
      }
      return rewards;
    };
  }
};

/// The sampled rows of one batch, prompts included.
std::vector<Sequence> sequences_of(const Workplace& place, const Scores& scores) {
  const CallModule module = load_call_module(place.policy());
  std::vector<Sequence> all;
  for (std::size_t row = 0; row < scores.responses.size(); ++row)
    all.push_back({module.contract.prompt(module.tokenizer, scores.utterances[row]), scores.responses[row], 0});
  return all;
}

constexpr std::uint64_t everything = RETORT_SIGNAL_REFERENCE_LOG_PROBS | RETORT_SIGNAL_VALUES |
                                     RETORT_SIGNAL_ENTROPIES | RETORT_SIGNAL_TOKEN_REWARDS |
                                     RETORT_SIGNAL_SAMPLER_LOG_PROBS;

struct OneStep : ::testing::Test {
  Workplace place;
  FakeRl fake;
  Scores scores;
  PolicyGradientJob job;
  Recorder recorder;
  std::function<void(PolicyGradientJob&)> prepare;

  void run(const std::string& name, std::int64_t steps = 1) {
    job = place.job<PolicyGradientJob>(name, steps);
    job.algorithm.push_back(fake.call());
    job.temperature = 0.7;
    job.max_new_tokens = 6;
    scores.give_to(job);
    if (prepare) prepare(job);
    policy_gradient(job, recorder.hooks());
  }

  /// Three batches of four updates each, of everything that a checkpoint holds.
  PolicyGradientJob several_updates(const std::string& name) {
    fake.wanted.group_size = 2;
    fake.wanted.updates = 2;
    fake.wanted.mini_batches = 2;
    fake.wanted.signals = RETORT_SIGNAL_VALUES | RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    scores.of_row = {{1}, {-1}, {.5}};
    PolicyGradientJob made = place.job<PolicyGradientJob>(name, 3);
    made.algorithm.push_back(fake.call());
    made.max_new_tokens = 5;
    scores.give_to(made);
    return made;
  }
};

using PolicyGradientLoop = OneStep;

TEST_F(PolicyGradientLoop, ShowsEveryRowWhatItsAnswerEarned) {
  fake.wanted.group_size = 3;
  fake.wanted.signals = everything;
  scores.of_row = {{.1, 9}, {.2, 8}, {.3, 7}, {.4, 6}, {.5, 5}, {.6, 4}};
  run("seen");
  ASSERT_EQ(fake.advantages.size(), 1u);
  const SeenRl& seen = fake.advantages[0];
  EXPECT_EQ(seen.rows, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(seen.groups, (std::vector<std::int64_t>{0, 0, 0, 1, 1, 1}));
  for (std::size_t row = 0; row < 6; ++row) {  // a group's answers are to one prompt, which no other group has
    EXPECT_EQ(scores.answers[row].example, scores.answers[row / 3 * 3].example);
    EXPECT_EQ(scores.answers[row].prompt, row / 3);
  }
  EXPECT_NE(scores.answers[0].example, scores.answers[3].example);
  EXPECT_EQ(seen.tensors.at("rewards"), (std::vector<float>{.1F, .2F, .3F, .4F, .5F, .6F}));
  EXPECT_EQ(seen.tensors.at("reward_parts"), (std::vector<float>{.1F, 9, .2F, 8, .3F, 7, .4F, 6, .5F, 5, .6F, 4}));
  const CallModule module = load_call_module(place.policy());
  std::int64_t tokens = 0;
  for (std::size_t row = 0; row < 6; ++row) {
    const auto& response = scores.responses[row];
    tokens += static_cast<std::int64_t>(response.size());
    const bool finished = response.back() == module.contract.end_token(module.tokenizer);
    EXPECT_EQ(seen.tensors.at("finished")[row], finished ? 1 : 0) << row;
    EXPECT_TRUE(finished || response.size() == 6);
    for (std::size_t t = 0; t < static_cast<std::size_t>(seen.positions); ++t) {
      const std::size_t cell = row * static_cast<std::size_t>(seen.positions) + t;
      EXPECT_EQ(seen.tensors.at("mask")[cell], t < response.size() ? 1 : 0) << row << ", " << t;
      EXPECT_EQ(seen.tensors.at("token_rewards")[cell], t < response.size() ? static_cast<float>(t + 1) : 0);
    }
  }
  EXPECT_EQ(seen.batch.update_tokens, tokens);
  EXPECT_GT(recorder.metrics.at("tokens_per_second").at(0), 0);
  EXPECT_EQ(seen.batch.update_rows, 6);
  EXPECT_EQ(seen.batch.update_groups, 2);
  EXPECT_EQ(seen.batch.group_size, 3);
  EXPECT_EQ(seen.batch.maximum_tokens, 6);
  EXPECT_EQ(seen.batch.temperature, .7);
  EXPECT_EQ(seen.tensors.count("advantages"), 0u);
}

TEST_F(PolicyGradientLoop, LogProbabilitiesAreAtTheSamplingTemperature) {
  fake.wanted.group_size = 2;
  fake.wanted.signals = everything;
  scores.of_row = {{1}, {0}};
  run("temperature");
  const SeenRl &before = fake.advantages.at(0), &now = fake.losses.at(0);
  const std::vector<Sequence> sequences = sequences_of(place, scores);
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    const std::vector<double> expected = testing::reference_log_probs(place.policy(), sequences[row], 0.7);
    for (std::size_t t = 0; t < expected.size(); ++t) {
      const std::size_t cell = row * static_cast<std::size_t>(before.positions) + t;
      for (const char* name : {"old_log_probs", "sampler_log_probs", "reference_log_probs"})
        EXPECT_NEAR(before.tensors.at(name)[cell], expected[t], 2e-4) << name << " of row " << row << ", token " << t;
      EXPECT_NEAR(now.tensors.at("log_probs")[cell], expected[t], 2e-4);
    }
  }
}

/// What a text is cut into again need not be what was sampled: ids, masks and log-probabilities are of the sampled ids.
TEST_F(PolicyGradientLoop, TrainsOnTheIdsThatWereSampledWhateverTheirTextIsCutInto) {
  fake.wanted.group_size = 16;
  fake.wanted.signals = RETORT_SIGNAL_SAMPLER_LOG_PROBS;
  scores.of_row = {{1}, {0}};
  run("sampled_ids");
  const CallModule module = load_call_module(place.policy());
  const SeenRl& seen = fake.losses.at(0);
  const std::vector<Sequence> sequences = sequences_of(place, scores);
  std::size_t other = 0;
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    const std::vector<text::TokenId>& ids = sequences[row].response;
    std::string text;
    for (const text::TokenId id : ids) text += module.tokenizer.token_bytes(id);
    if (module.tokenizer.encode(text) == ids) continue;
    ++other;
    const std::vector<double> expected = testing::reference_log_probs(place.policy(), sequences[row], 0.7);
    ASSERT_EQ(expected.size(), ids.size());
    for (std::size_t t = 0; t < static_cast<std::size_t>(seen.positions); ++t) {
      const std::size_t cell = row * static_cast<std::size_t>(seen.positions) + t;
      EXPECT_EQ(seen.tensors.at("mask")[cell], t < ids.size() ? 1 : 0);
      if (t >= ids.size()) continue;
      EXPECT_NEAR(seen.tensors.at("log_probs")[cell], expected[t], 2e-4) << row << ", " << t;
    }
  }
  EXPECT_GT(other, 4u) << "no text is cut into other ids: nothing was tested";
}

TEST_F(PolicyGradientLoop, HidesWhatWasNotAskedFor) {
  scores.of_row = {{1}, {0}};
  run("hidden");
  for (const char* name :
       {"token_rewards", "sampler_log_probs", "reference_log_probs", "values", "old_values", "entropies", "returns"})
    EXPECT_EQ(fake.losses.at(0).tensors.count(name), 0u) << name;
}

/// −Σ A·log π / tokens, whose gradient at ratio 1 is the fake algorithm's.
torch::Tensor expected_loss(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                            const std::vector<double>& advantages) {
  torch::Tensor sum = torch::zeros({}, torch::kFloat64);
  double tokens = 0;
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    if (advantages[row] != 0)
      sum = sum - advantages[row] * testing::response_log_probs(decoder, sequences[row], 0.7).sum();
    tokens += static_cast<double>(sequences[row].response.size());
  }
  return sum / tokens;
}

TEST_F(PolicyGradientLoop, WeightsMoveAgainstTheGradientByTheRate) {
  fake.wanted.group_size = 2;
  scores.of_row = {{1}, {-1}, {.5}, {0}};
  run("moves");
  const std::vector<Sequence> sequences = sequences_of(place, scores);
  testing::expect_first_step(place.policy(), job.output, 1e-3,
                             [&](DecoderModule& decoder) { return expected_loss(decoder, sequences, {1, -1, .5, 0}); });
  // What was rewarded is likelier now, what was punished less so.
  const auto sum = [](const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); };
  for (const auto& [row, sign] : {std::pair<std::size_t, double>(0, 1), {1, -1}})
    EXPECT_GT(sign * (sum(testing::reference_log_probs(job.output, sequences[row], 0.7)) -
                      sum(testing::reference_log_probs(place.policy(), sequences[row], 0.7))),
              0)
        << row;
}

TEST_F(PolicyGradientLoop, WeightedSumOfTheNamedScores) {
  scores.of_row = {{1, .5}, {0, -2}};
  job = place.job<PolicyGradientJob>("weights", 1);
  job.algorithm.push_back(fake.call());
  job.reward_weights = {.25, 2};
  scores.give_to(job);
  policy_gradient(job, recorder.hooks());
  EXPECT_EQ(fake.advantages.at(0).tensors.at("rewards"), (std::vector<float>{1.25F, -4}));
}

TEST_F(PolicyGradientLoop, ASecondUpdateSeesThePolicyThatTheFirstOneMade) {
  fake.wanted.group_size = 2;
  fake.wanted.updates = 2;
  scores.of_row = {{1}, {-1}};
  run("second");
  ASSERT_EQ(fake.advantages.size(), 1u);
  ASSERT_EQ(fake.losses.size(), 2u);
  EXPECT_EQ(fake.losses[0].batch.update, 0);
  EXPECT_EQ(fake.losses[1].batch.update, 1);
  EXPECT_EQ(fake.losses[0].tensors.at("old_log_probs"), fake.losses[1].tensors.at("old_log_probs"));
  double first = 0, gained = 0;
  for (std::size_t i = 0; i < fake.losses[0].tensors.at("mask").size(); ++i) {
    const auto moved = [&](std::size_t call) {
      return static_cast<double>(fake.losses[call].tensors.at("log_probs")[i]) -
             fake.losses[call].tensors.at("old_log_probs")[i];
    };
    first = std::max(first, std::abs(moved(0)));
    gained += fake.losses[1].tensors.at("advantages")[i] * moved(1);
  }
  EXPECT_LT(first, 1e-5);
  EXPECT_GT(gained, 1e-3);
}

TEST_F(PolicyGradientLoop, MiniBatchesHoldWholeGroupsWhereAskedFor) {
  fake.wanted.group_size = 2;
  fake.wanted.mini_batches = 2;
  fake.wanted.flags = RETORT_RL_WHOLE_GROUPS;
  scores.of_row = {{1}, {-1}};
  run("groups");
  ASSERT_EQ(fake.losses.size(), 2u);
  std::set<std::int64_t> rows;
  for (const SeenRl& seen : fake.losses) {
    ASSERT_EQ(seen.rows.size(), 2u);
    EXPECT_EQ(seen.rows[0] + 1, seen.rows[1]);
    EXPECT_EQ(seen.rows[0] % 2, 0);
    EXPECT_EQ(seen.groups, (std::vector<std::int64_t>{seen.rows[0] / 2, seen.rows[0] / 2}));
    EXPECT_EQ(seen.batch.update_rows, 2);
    EXPECT_EQ(seen.batch.update_groups, 1);
    EXPECT_EQ(seen.batch.update_tokens,
              std::llround(std::accumulate(seen.tensors.at("mask").begin(), seen.tensors.at("mask").end(), 0.0)));
    rows.insert(seen.rows.begin(), seen.rows.end());
  }
  EXPECT_EQ(rows.size(), 4u);
}

TEST_F(PolicyGradientLoop, RowsThatAreNotKeptTakeNoPart) {
  fake.wanted.group_size = 2;
  fake.keep = {1, 0, 0, 1};
  scores.of_row = {{1}, {-1}};
  run("keep");
  ASSERT_EQ(fake.losses.size(), 1u);
  EXPECT_EQ(fake.losses[0].rows, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(fake.losses[0].batch.update_rows, 2);
  EXPECT_EQ(fake.losses[0].batch.update_groups, 2);
}

TEST_F(PolicyGradientLoop, TheValueHeadLearnsAConstantReturn) {
  fake.wanted.signals = RETORT_SIGNAL_VALUES;
  fake.constant_return = .75;
  scores.of_row = {{0}};
  run("values", 300);
  const auto worst = [&](const SeenRl& seen) {
    double far = 0;
    for (std::size_t i = 0; i < seen.tensors.at("mask").size(); ++i)
      if (seen.tensors.at("mask")[i] != 0) far = std::max(far, std::abs(seen.tensors.at("values")[i] - .75));
    return far;
  };
  EXPECT_GT(worst(fake.losses.front()), .4);
  EXPECT_LT(worst(fake.losses.back()), .1);
  EXPECT_EQ(fake.losses.back().tensors.at("old_values"), fake.losses.back().tensors.at("values"));
}

TEST_F(PolicyGradientLoop, ARunThatStoppedBetweenUpdatesEndsWithTheSameBytes) {
  PolicyGradientJob whole = several_updates("whole"), broken = several_updates("broken");
  for (PolicyGradientJob* made : {&whole, &broken}) made->training.average_decay = 0.9;
  policy_gradient(whole, recorder.hooks());
  const std::size_t steps = recorder.metrics.at("loss").size();
  EXPECT_EQ(steps, 12u);
  Recorder stopped;
  stopped.kill_after = 6;  // in the middle of the second batch
  EXPECT_THROW(policy_gradient(broken, stopped.hooks()), testing::Stop);
  Recorder resumed;
  policy_gradient(broken, resumed.hooks());
  EXPECT_EQ(resumed.metrics.at("loss").size(), 8u);  // from the second batch on
  EXPECT_EQ(place.bytes_of(whole), place.bytes_of(broken));
}

/// NeMo-RL PR 3599: prompts that a continued epoch skips.
TEST_F(PolicyGradientLoop, AKilledEpochStillAsksEveryPromptOnce) {
  std::multiset<std::string> epochs[2], all;
  std::size_t batch = 0;
  const auto run_until = [&](std::int64_t kill_after) {
    PolicyGradientJob made = place.job<PolicyGradientJob>("killed", 10);  // two epochs of 8, 8 and 4 prompts
    made.training.steps = 6;
    made.training.batch_size = 8;
    made.algorithm.push_back(fake.call());
    made.max_new_tokens = 3;
    made.reward = [&](const std::vector<task::Tool>&, const std::vector<SampledAnswer>& answers) {
      for (const SampledAnswer& answer : answers) epochs[batch / 3].insert(answer.example->utterance());
      ++batch;
      std::vector<host::RewardItem> items(answers.size());
      for (std::size_t i = 0; i < items.size(); ++i) items[i].scores = {static_cast<double>(i)};
      return items;
    };
    Recorder own;
    own.stop_before = kill_after;
    policy_gradient(made, own.hooks());
  };
  EXPECT_THROW(run_until(4), testing::Stop);  // in the middle of the second epoch, after its first batch
  EXPECT_EQ(batch, 4u);
  run_until(-1);
  EXPECT_EQ(batch, 6u);
  for (const task::Example& example : task::read_split(place.dataset() / "train.jsonl").examples)
    all.insert(example.utterance());
  EXPECT_EQ(all.size(), 20u);
  EXPECT_EQ(epochs[0], all);
  EXPECT_EQ(epochs[1], all);
}

TEST_F(PolicyGradientLoop, StoppedBetweenUpdatesItGoesOnInTheMiddleOfTheBatch) {
  PolicyGradientJob whole = several_updates("whole"), broken = several_updates("stopped");
  for (PolicyGradientJob* made : {&whole, &broken}) made->training.checkpoint_steps = 0;
  policy_gradient(whole, recorder.hooks());
  fake.advantages.clear();
  Recorder stopped;
  RunHooks hooks = stopped.hooks();
  hooks.throw_if_stopped = [&] {
    if (stopped.step == 6) throw Stopped();  // in the middle of the second batch
  };
  EXPECT_THROW(policy_gradient(broken, hooks), Stopped);
  EXPECT_EQ(fake.advantages.size(), 2U);
  EXPECT_TRUE(std::filesystem::exists(broken.work / "checkpoint.pt"));
  Recorder resumed;
  policy_gradient(broken, resumed.hooks());
  EXPECT_EQ(resumed.metrics.at("loss").size(), 6U);  // nothing is done twice
  EXPECT_EQ(fake.advantages.size(), 3U);
  EXPECT_EQ(place.bytes_of(whole), place.bytes_of(broken));
}

TEST_F(PolicyGradientLoop, OtherPromptsReplaceThoseWithNothingToLearnFrom) {
  fake.wanted.group_size = 2;
  fake.wanted.refill_rounds = 2;
  fake.drop_equal = true;
  scores.of_row = {{1}, {0}, {1}, {1}};  // the second prompt's samples earn the same; a single prompt's do not
  std::vector<std::string> asked;
  prepare = [&](PolicyGradientJob& made) {
    const RewardFunction plain = made.reward;
    made.reward = [&asked, plain](const std::vector<task::Tool>& tools, const std::vector<SampledAnswer>& answers) {
      for (std::size_t i = 0; i < answers.size(); i += 2) asked.push_back(answers[i].example->utterance());
      return plain(tools, answers);
    };
  };
  run("refill");
  ASSERT_EQ(fake.advantages.size(), 3U);  // of the first round, of the second, of what stays
  EXPECT_EQ(asked.size(), 3U);
  EXPECT_EQ(std::set<std::string>(asked.begin(), asked.end()).size(), 3U);
  EXPECT_EQ(fake.advantages[2].tensors.at("rewards"), (std::vector<float>{1, 0, 1, 0}));
  EXPECT_EQ(fake.losses.at(0).rows.size(), 4U);
  EXPECT_EQ(recorder.metrics.at("refilled_prompts"), std::vector<double>{1});
  EXPECT_EQ(recorder.metrics.at("missing_prompts"), std::vector<double>{0});
  for (std::size_t i = 0; i < fake.losses[0].tensors.at("mask").size(); ++i)
    if (fake.losses[0].tensors.at("mask")[i] != 0) {
      EXPECT_NEAR(fake.losses[0].tensors.at("log_probs")[i], fake.losses[0].tensors.at("old_log_probs")[i], 1e-4F);
    }

  scores.of_row = {{1}};  // nobody differs: every round is asked, nothing is learnt
  fake.advantages.clear();
  fake.losses.clear();
  run("nothing");
  EXPECT_EQ(recorder.metrics.at("missing_prompts").back(), 2);
  EXPECT_EQ(recorder.metrics.at("trained_rows").back(), 0);
  EXPECT_TRUE(fake.losses.empty());
}

TEST_F(PolicyGradientLoop, UnderTheGrammarNothingThatEndsIsMalformed) {
  fake.wanted.group_size = 4;
  fake.wanted.signals = RETORT_SIGNAL_SAMPLER_LOG_PROBS;
  scores.of_row = {{1}, {0}};
  prepare = [](PolicyGradientJob& made) {
    made.grammar = true;
    made.max_new_tokens = 24;
  };
  run("grammar");
  const SeenRl& seen = fake.advantages.at(0);
  double forbidden = 0;
  for (std::size_t row = 0; row < scores.answers.size(); ++row)
    if (seen.tensors.at("finished")[row] == 1) {
      EXPECT_TRUE(std::holds_alternative<std::vector<task::Call>>(scores.answers[row].response)) << row;
    }
  for (std::size_t i = 0; i < seen.tensors.at("mask").size(); ++i) {
    if (seen.tensors.at("mask")[i] == 0) continue;
    const float more = seen.tensors.at("sampler_log_probs")[i] - seen.tensors.at("old_log_probs")[i];
    EXPECT_GT(more, -1e-3F);  // over the tokens that are allowed alone
    forbidden = std::max(forbidden, static_cast<double>(more));
  }
  EXPECT_GT(forbidden, .1);
}

TEST_F(PolicyGradientLoop, WarnsWhenNothingCanBeLearnt) {
  fake.wanted.group_size = 2;
  scores.of_row = {{1}};
  std::vector<std::string> said;
  job = place.job<PolicyGradientJob>("warned", 9);
  job.algorithm.push_back(fake.call());
  job.max_new_tokens = 4;
  scores.give_to(job);
  RunHooks hooks = recorder.hooks();
  hooks.log = [&](std::string_view message) { said.emplace_back(message); };
  policy_gradient(job, hooks);
  const auto warnings = std::count_if(said.begin(), said.end(), [](const std::string& message) {
    return message.find("raise group_size or temperature") != std::string::npos;
  });
  EXPECT_EQ(warnings, 1);
  EXPECT_EQ(recorder.metrics.at("reward_spread"), std::vector<double>(9, 0.0));
  EXPECT_GT(recorder.metrics.at("policy_entropy").at(0), 0);
}

/// With one sample a prompt nothing differs in a group; a teacher teaches whatever the rewards are.
TEST_F(PolicyGradientLoop, WarnsOfConstantRewardsAlsoWithOneSampleAPromptButNotBesideATeacher) {
  scores.of_row = {{1}};
  const auto warnings = [&](const std::string& name, bool teacher) {
    std::int64_t count = 0;
    job = place.job<PolicyGradientJob>(name, 9);
    job.algorithm.push_back(fake.call());
    job.max_new_tokens = 4;
    if (teacher) job.teacher = place.policy();
    job.teacher_weight = teacher ? 1 : 0;
    scores.give_to(job, false);
    RunHooks hooks = recorder.hooks();
    hooks.log = [&](std::string_view message) {
      count += message.find("earned different rewards") != std::string_view::npos ? 1 : 0;
    };
    policy_gradient(job, hooks);
    return count;
  };
  EXPECT_EQ(warnings("alone", false), 1);
  EXPECT_EQ(recorder.metrics.at("reward_spread"), std::vector<double>(9, 0.0));
  EXPECT_EQ(warnings("taught", true), 0);
  scores.of_row = {{1}, {0}};
  EXPECT_EQ(warnings("differing", false), 0);
  EXPECT_NEAR(recorder.metrics.at("reward_spread").back(), std::sqrt(.5), 1e-12);
}

TEST(PolicyDiagnosis, EachKindOfWarningComesOnceAndSaysWhatToDo) {
  Recorder recorder;
  std::vector<std::string> said;
  RunHooks hooks = recorder.hooks();
  hooks.log = [&](std::string_view message) { said.emplace_back(message); };
  PolicyDiagnosis diagnosis(hooks);
  diagnosis.look(0, {{"policy_entropy", 2}, {"reference_divergence", .1}, {"reward_spread", .2}, {"malformed", 1}});
  EXPECT_TRUE(said.empty());
  for (int batch = 1; batch < 12; ++batch)
    diagnosis.look(batch,
                   {{"policy_entropy", .1}, {"reference_divergence", 3}, {"reward_spread", 0}, {"malformed", 1}});
  ASSERT_EQ(said.size(), 4U);
  EXPECT_NE(said[0].find("lower learning_rate"), std::string::npos);
  EXPECT_NE(said[1].find("raise kl_coefficient"), std::string::npos);
  EXPECT_NE(said[2].find("set grammar"), std::string::npos);
  EXPECT_NE(said[3].find("raise group_size"), std::string::npos);
}

TEST_F(PolicyGradientLoop, ThreadsGiveTheSameStep) {
  fake.wanted.group_size = 2;
  FakeRl other;
  other.wanted = fake.wanted;
  scores.of_row = {{1}, {-1}, {.5}};
  std::vector<std::vector<double>> losses;
  for (const std::int64_t threads : {1, 2}) {
    Recorder one;
    PolicyGradientJob made = place.job<PolicyGradientJob>("threads" + std::to_string(threads), 2);
    made.threads = threads;
    made.algorithm.push_back(fake.call());
    made.algorithm.push_back(other.call());
    scores.give_to(made);
    policy_gradient(made, one.hooks());
    losses.push_back(one.metrics.at("loss"));
  }
  for (std::size_t step = 0; step < 2; ++step) EXPECT_NEAR(losses[0][step], losses[1][step], 1e-4) << step;
}

TEST_F(PolicyGradientLoop, AnAnswerWithoutAScoreTakesItsGroupAway) {
  fake.wanted.group_size = 2;
  job = place.job<PolicyGradientJob>("unscored", 1);
  job.algorithm.push_back(fake.call());
  std::size_t failing = 1;
  job.reward = [&](const std::vector<task::Tool>&, const std::vector<SampledAnswer>& asked) {
    std::vector<host::RewardItem> items(asked.size());
    for (std::size_t i = 0; i < items.size(); ++i) items[i].scores = {static_cast<double>(i)};
    for (std::size_t i = 0; i < items.size(); i += 2)
      if (failing == 4 || i == 0) items[i] = {{}, false, "", "the judge was out"};
    return items;
  };
  policy_gradient(job, recorder.hooks());
  EXPECT_EQ(fake.advantages.at(0).tensors.at("rewards"), (std::vector<float>{2, 3}));
  EXPECT_EQ(recorder.metrics.at("unscored_prompts"), (std::vector<double>{1}));
  failing = 4;
  job.work = job.work.parent_path();
  try {
    policy_gradient(job, recorder.hooks());
    FAIL() << "a batch without any score was learned from";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("the judge was out"), std::string::npos) << error.what();
  }
}

TEST_F(PolicyGradientLoop, RefusesByNameWhatItCannotGive) {
  fake.wanted.signals = RETORT_SIGNAL_TOKEN_REWARDS;
  job = place.job<PolicyGradientJob>("refused", 1);
  job.algorithm.push_back(fake.call());
  scores.give_to(job, false);
  try {
    policy_gradient(job, recorder.hooks());
    FAIL() << "token rewards without a source were accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("rl.fake"), std::string::npos) << message;
    EXPECT_NE(message.find("TOKEN_REWARDS"), std::string::npos) << message;
  }
  fake.wanted.signals = RETORT_SIGNAL_LABELS;
  EXPECT_THROW(fake.call(), std::invalid_argument);
  fake.wanted.signals = 0;
  fake.wanted.updates = 0;
  EXPECT_THROW(fake.call(), std::invalid_argument);
}

/// A decoder whose logits are [2,1,0] whatever it reads: layers add nothing, the normed embedding is (√D, 0, …).
DecoderModule fixed_logits() {
  model::ModelConfig config;
  config.vocabulary_size = 3;
  config.hidden_size = 8;
  config.intermediate_size = 8;
  config.layers = 1;
  config.heads = config.kv_heads = 1;
  config.head_dim = 8;
  config.max_positions = 8;
  config.rms_norm_epsilon = 1e-12;
  config.tie_word_embeddings = false;
  DecoderModule decoder(config, 1);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, weight] : decoder.weights()) {
    torch::Tensor target = weight;
    if (name.find("o_proj") != std::string::npos || name.find("down_proj") != std::string::npos) target.zero_();
    if (name.find("norm") != std::string::npos) target.fill_(1);
    if (name.find("embed_tokens") != std::string::npos || name.find("lm_head") != std::string::npos) target.zero_();
    if (name.find("embed_tokens") != std::string::npos) target.select(1, 0).fill_(1);
    if (name.find("lm_head") != std::string::npos)
      target.select(1, 0).copy_(torch::tensor({2.0F, 1.0F, 0.0F}) / std::sqrt(8.0F));
  }
  return decoder;
}

TEST(ResponseSignals, TemperatureDividesLogits) {
  DecoderModule decoder = fixed_logits();
  const std::vector<Sequence> sequences = {{{1, 2}, {0, 2}, 0}, {{1}, {1}, 0}};
  const std::vector<std::size_t> rows = {0, 1};
  const ResponseSignals at = response_signals(decoder, sequences, rows, 3, {.temperature = .7, .entropies = true});
  const auto cell = [](const torch::Tensor& tensor, int row, int t) { return tensor[row][t].item<double>(); };
  EXPECT_NEAR(cell(at.log_probs, 0, 0), -.260118, 1e-6);  // log_softmax([2,1,0] / .7), in float64: Python
  EXPECT_NEAR(cell(at.log_probs, 0, 1), -3.117261, 1e-6);
  EXPECT_NEAR(cell(at.log_probs, 1, 0), -1.688690, 1e-6);
  EXPECT_NEAR(cell(at.entropies, 0, 1), .650573, 1e-6);
  EXPECT_EQ(cell(at.log_probs, 0, 2), 0);
  EXPECT_EQ(cell(at.log_probs, 1, 1), 0);
  const ResponseSignals plain = response_signals(decoder, sequences, rows, 3, {});
  EXPECT_NEAR(cell(plain.log_probs, 0, 0), -.407606, 1e-6);
  EXPECT_FALSE(plain.entropies.defined());
  EXPECT_FALSE(plain.values.defined());
}

TEST(ResponseSignals, EntropyHasItsGradient) {
  DecoderModule decoder = fixed_logits();
  const std::vector<Sequence> sequences = {{{1}, {0}, 0}};
  const std::vector<std::size_t> rows = {0};
  const auto entropy = [&] {
    return response_signals(decoder, sequences, rows, 1, {.temperature = .7, .entropies = true}).entropies.sum();
  };
  torch::Tensor& head = decoder.weight("lm_head.weight");
  entropy().backward();
  const double gradient = head.grad()[0][0].item<double>();
  const torch::NoGradGuard no_grad;
  head[0][0] += 1e-2;
  const double above = entropy().item<double>();
  head[0][0] -= 2e-2;
  const double below = entropy().item<double>();
  EXPECT_LT(gradient, -.1);
  EXPECT_NEAR((above - below) / 2e-2, gradient, 1e-3);
}

/// A model of two layers with a large vocabulary.
DecoderModule wide_decoder(std::int64_t vocabulary) {
  model::ModelConfig config = load_call_module(Workplace().policy()).decoder->config();
  config.vocabulary_size = vocabulary;
  config.max_positions = 128;
  return DecoderModule(config, 1);
}

/// Answers of 64 tokens each.
std::vector<Sequence> long_answers(std::size_t count) {
  std::vector<Sequence> sequences(count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t t = 0; t < 65; ++t)
      (t == 0 ? sequences[i].prompt : sequences[i].response)
          .push_back(static_cast<text::TokenId>((31 * i + 7 * t) % 1000));
  return sequences;
}

/// Logits of a large vocabulary are never there as a whole: several chunks say what one row at a time says.
TEST(ResponseSignals, LargeVocabulariesInChunksGiveValuesAndGradientsOfRowsAlone) {
  DecoderModule decoder = wide_decoder(60'000);
  const std::vector<Sequence> sequences = long_answers(6);  // 384 rows, 23 million logits
  const SignalOptions options{.temperature = .7, .entropies = true};
  const auto ask = [&](std::vector<std::size_t> rows) {
    const ResponseSignals said = response_signals(decoder, sequences, rows, 64, options);
    const torch::Tensor both = torch::stack({said.log_probs, said.entropies});
    if (torch::GradMode::is_enabled()) (both * torch::tensor({1.F, .25F}).view({2, 1, 1})).sum().backward();
    return both.detach();
  };
  const auto gradients = [&] {
    std::map<std::string, torch::Tensor> found;
    for (const auto& [name, weight] : decoder_group(decoder).tensors) {
      found[name] = weight.grad().clone();
      weight.mutable_grad() = torch::Tensor();
    }
    return found;
  };
  const torch::Tensor together = ask({0, 1, 2, 3, 4, 5});
  const auto of_chunks = gradients();
  std::vector<torch::Tensor> rows;
  for (std::size_t row = 0; row < 6; ++row) rows.push_back(ask({row}));
  const auto of_rows = gradients();
  EXPECT_LT((together - torch::cat(rows, 1)).abs().max().item<double>(), 1e-4);
  for (const auto& [name, gradient] : of_rows)
    EXPECT_LT((of_chunks.at(name) - gradient).norm().item<double>(), 1e-4 * gradient.norm().item<double>()) << name;
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(ask({0, 1, 2, 3, 4, 5}).equal(together));
}

TEST(ResponseSignals, AStepHoldsAtMostAPartOfTheLogits) {
  DecoderModule decoder = wide_decoder(151'936);
  const std::vector<Sequence> sequences = long_answers(8);  // 512 positions: their logits alone are 311 MB
  const std::vector<std::size_t> rows = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto memory = [](const std::string& which) {
    const std::string status = host::read_file("/proc/self/status");
    return 1024 * std::stoll(status.substr(status.find(which + ":") + which.size() + 1));
  };
  std::ofstream("/proc/self/clear_refs") << 5;  // forgets the peak so far
  const std::int64_t before = memory("VmRSS");
  const ResponseSignals said = response_signals(decoder, sequences, rows, 64, {.temperature = .7, .entropies = true});
  (said.log_probs + said.entropies).sum().backward();
  const std::int64_t above = memory("VmHWM") - before;
  RecordProperty("megabytes_above_the_model", static_cast<int>(above / 1'000'000));
  std::printf("%.0f MB above the model\n", static_cast<double>(above) / 1e6);
  EXPECT_LT(above, 800'000'000);
}

TEST_F(PolicyGradientLoop, RecomputationChangesNothingAndHalfPrecisionIsAskedForByName) {
  fake.wanted.group_size = 2;
  fake.wanted.signals = RETORT_SIGNAL_VALUES | RETORT_SIGNAL_ENTROPIES;
  scores.of_row = {{1}, {-1}, {.5}, {0}};
  std::map<std::string, std::string> bytes;
  std::map<std::string, std::vector<float>> said;
  const auto run_with = [&](const std::string& name, const std::function<void(TrainingOptions&)>& change) {
    prepare = [&](PolicyGradientJob& made) { change(made.training); };
    run(name);
    bytes[name] = place.bytes_of(job);
    said[name] = fake.losses.back().tensors.at("log_probs");
  };
  run_with("exact", [](TrainingOptions&) {});
  run_with("recomputed", [](TrainingOptions& training) { training.recompute = true; });
  run_with("automatic", [](TrainingOptions& training) { training.precision = "auto"; });
  run_with("half", [](TrainingOptions& training) { training.precision = "bf16"; });
  EXPECT_EQ(bytes.at("recomputed"), bytes.at("exact"));
  EXPECT_EQ(bytes.at("automatic"), bytes.at("exact"));
  EXPECT_NE(said.at("half"), said.at("exact"));
  for (std::size_t i = 0; i < said.at("exact").size(); ++i)
    EXPECT_NEAR(said.at("half")[i], said.at("exact")[i], .05) << i;
}

TEST_F(PolicyGradientLoop, ADivergenceNamesATensorAndLeavesTheBatch) {
  fake.wanted.updates = 2;  // the second one sees what the first one did
  scores.of_row = {{1}, {-1}};
  prepare = [](PolicyGradientJob& made) { made.training.learning_rate = 1e30; };
  try {
    run("diverged");
    FAIL() << "a loss that is no number was learnt from";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("training diverged at step 1"), std::string::npos) << text;
    EXPECT_NE(text.find("elements of the gradient of decoder/model."), std::string::npos) << text;
    EXPECT_NE(text.find("diverged.json"), std::string::npos) << text;
  }
  const nlohmann::json batch = host::read_json(job.work / "diverged.json").at("batch");
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[1].at("reward"), -1);
  EXPECT_NE(batch[0].at("prompt").get<std::string>().find("dim the"), std::string::npos) << batch;
}

TEST(TeacherReward, GoldenNumbers) {
  // "opd" of slime 624b824 (loss.py:663-697), with a task advantage of 0.2.
  const std::vector<float> policy{-.7F, -.4F, -.9F}, teacher{-.5F, -2.0F, -.3F};
  const std::vector<float> rewards = teacher_rewards(policy, teacher, 1);
  std::vector<float> sums(3, .2F);
  add_rewards(sums, rewards);
  for (std::size_t t = 0; t < 3; ++t) {
    EXPECT_NEAR(rewards[t], (std::vector<double>{.2, -1.6, .6})[t], 1e-6) << t;
    EXPECT_NEAR(teacher_rewards(policy, teacher, .5)[t], (std::vector<double>{.1, -.8, .3})[t], 1e-6) << t;
    EXPECT_NEAR(sums[t], (std::vector<double>{.4, -1.4, .8})[t], 1e-6) << t;
  }
  EXPECT_NEAR(mean_difference(policy, teacher, {1, 1, 0}), .7, 1e-6);
  EXPECT_NEAR(mean_distance(policy, teacher, {1, 1, 0}), .9, 1e-6);
  EXPECT_EQ(mean_distance(policy, teacher, {0, 0, 0}), 0);
}

/// log p of the teacher minus log π of the policy, one position after the other in double.
std::vector<double> slow_rewards(const Workplace& place, const std::filesystem::path& teacher,
                                 const Sequence& sequence) {
  std::vector<double> rewards = testing::reference_log_probs(teacher, sequence, 0.7);
  const std::vector<double> own = testing::reference_log_probs(place.policy(), sequence, 0.7);
  for (std::size_t t = 0; t < rewards.size(); ++t) rewards[t] -= own[t];
  return rewards;
}

TEST_F(PolicyGradientLoop, ATeacherRewardsTokensWhereTheseAreAskedFor) {
  const std::filesystem::path teacher = testing::trained_teacher(place, "teacher", 10);
  fake.wanted.group_size = 2;
  fake.wanted.signals = RETORT_SIGNAL_TOKEN_REWARDS;
  scores.of_row = {{1}, {0}};
  prepare = [&](PolicyGradientJob& made) { made.teacher = teacher; };
  run("asked");
  const SeenRl& seen = fake.advantages.at(0);
  const std::vector<Sequence> sequences = sequences_of(place, scores);
  double divergence = 0, tokens = 0;
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    const std::vector<double> expected = slow_rewards(place, teacher, sequences[row]);
    for (std::size_t t = 0; t < expected.size(); ++t) {  // the job's own token rewards count from 1
      const double found =
          static_cast<double>(seen.tensors.at("token_rewards")[row * static_cast<std::size_t>(seen.positions) + t]);
      EXPECT_NEAR(found, static_cast<double>(t + 1) + expected[t], 5e-4) << row << ", " << t;
      divergence -= expected[t];
      ++tokens;
    }
  }
  EXPECT_NEAR(recorder.metrics.at("teacher_divergence").at(0), divergence / tokens, 5e-4);
  EXPECT_GT(std::abs(divergence / tokens), 1e-2);  // the teacher is another model
  EXPECT_LT(recorder.metrics.at("sampler_difference").at(0), 2e-4);
}

TEST_F(PolicyGradientLoop, AWeightedTeacherIsAddedToTheAdvantages) {
  const std::filesystem::path teacher = testing::trained_teacher(place, "teacher", 10);
  fake.wanted.group_size = 2;
  fake.wanted.signals = 0;
  scores.of_row = {{3}, {1}};  // the fake's advantages are the rewards
  prepare = [&](PolicyGradientJob& made) {
    made.teacher = teacher;
    made.teacher_weight = .5;
  };
  run("weighted");
  const SeenRl& seen = fake.losses.at(0);
  EXPECT_EQ(fake.advantages.at(0).tensors.count("token_rewards"), 0u);
  const std::vector<Sequence> sequences = sequences_of(place, scores);
  ASSERT_EQ(seen.rows.size(), sequences.size());
  for (std::size_t row = 0; row < sequences.size(); ++row) {
    const std::vector<double> expected = slow_rewards(place, teacher, sequences[row]);
    for (std::size_t t = 0; t < expected.size(); ++t)
      EXPECT_NEAR(seen.tensors.at("advantages")[row * static_cast<std::size_t>(seen.positions) + t],
                  (row % 2 == 0 ? 3 : 1) + .5 * expected[t], 5e-4)
          << row << ", " << t;
  }
}

TEST_F(PolicyGradientLoop, ATeacherThatNothingIsLearntFromIsRefused) {
  const auto refusal = [&](bool with_teacher, double weight, std::uint64_t signals) {
    fake.wanted.signals = signals;
    try {
      teacher_weight(fake.call(), with_teacher, weight);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal(true, 0, 0).find("asks for no token rewards and teacher_weight is 0"), std::string::npos);
  EXPECT_NE(refusal(false, 1, 0).find("teacher_weight: weighs what a teacher says, and none is given"),
            std::string::npos);
  EXPECT_EQ(refusal(true, .1, 0), "");
  EXPECT_EQ(refusal(true, 0, RETORT_SIGNAL_TOKEN_REWARDS), "");
  EXPECT_EQ(refusal(false, 0, 0), "");
}

TEST_F(PolicyGradientLoop, RolloutsInBfloat16SayHowFarOffTheyAre) {
  fake.wanted.group_size = 2;
  scores.of_row = {{1}, {0}};
  prepare = [](PolicyGradientJob& made) { made.rollout_precision = "bf16"; };
  run("bf16");
  EXPECT_GT(recorder.metrics.at("sampler_difference").at(0), 1e-6);
  EXPECT_LT(recorder.metrics.at("sampler_difference").at(0), 0.05);
  prepare = [](PolicyGradientJob& made) { made.rollout_precision = "f16"; };
  EXPECT_THROW(run("f16"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::train
