// Two processes of policy gradient, preferences and distillation against one with the same batches: this program starts
// itself again with the environment of torchrun.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "policy_fixture.h"
#include "train/preference.h"
#include "train/process_fixture.h"

namespace retort::train {
namespace {

using nlohmann::json;
using testing::FakeDistill;
using testing::FakeRl;
namespace fs = std::filesystem;
using testing::Recorder;
using testing::Workplace;

/// Of what an answer is alone, so that it does not matter who scores it.
std::vector<host::RewardItem> scores_of_texts(const std::vector<task::Tool>&,
                                              const std::vector<SampledAnswer>& answers) {
  std::vector<host::RewardItem> items(answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i)
    items[i].scores = {static_cast<double>(answers[i].text.size() % 3), 0.25};
  return items;
}

/// No decay and no first step by the gradient's sign: what two processes round otherwise stays small.
void take_small_steps(TrainingOptions& training) {
  training.optimizer = "adafactor";
  training.learning_rate = 1e-2;
  training.batch_size = 3;  // shares of one and two prompts
}

json said_of(const Recorder& recorder) {
  json said = recorder.metrics;
  said.erase("tokens_per_second");
  return said;
}

/// One run of rollouts; `refill`: with groups left out and others asked in their place.
json train_policy(const Workplace& place, const std::string& name, bool refill) {
  FakeRl fake;
  fake.wanted.group_size = 2;
  fake.wanted.updates = 2;
  fake.wanted.mini_batches = 2;
  fake.wanted.signals = RETORT_SIGNAL_VALUES | RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  fake.drop_equal = refill;
  if (refill) {
    fake.wanted.refill_rounds = 2;
    fake.wanted.flags = RETORT_RL_WHOLE_GROUPS;
  }
  PolicyGradientJob job = place.job<PolicyGradientJob>(name, 2);
  take_small_steps(job.training);
  job.algorithm.push_back(fake.call());
  job.temperature = 0.7;
  job.max_new_tokens = 6;
  job.reward = scores_of_texts;
  Recorder recorder;
  policy_gradient(job, recorder.hooks());
  json said = said_of(recorder);
  // What whitening and the like are computed from: the batch of all, whoever sampled it.
  said["rows_of_advantages"] = fake.advantages.at(0).rows.size();
  for (const float reward : fake.advantages.at(0).tensors.at("rewards"))
    said["rewards_of_advantages"].push_back(reward);
  return said;
}

retort_error* distance_requirements(retort_instance*, retort_preference_requirements* out) {
  out->signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  return nullptr;
}

/// Half the square of 1 − (log-ratio of the chosen − log-ratio of the rejected), as IPO.
retort_error* distance_loss(retort_instance*, const retort_preference_batch* batch, retort_preference_result* result) {
  using testing::floats_of;
  const std::vector<float> chosen = floats_of(batch->chosen_log_probs), rejected = floats_of(batch->rejected_log_probs),
                           of_chosen = floats_of(batch->reference_chosen_log_probs),
                           of_rejected = floats_of(batch->reference_rejected_log_probs),
                           weights = floats_of(batch->chosen_weights);
  std::vector<float> by_chosen, by_rejected;
  result->loss = 0;
  double margin = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const float found = chosen[i] - of_chosen[i] - rejected[i] + of_rejected[i], miss = 1 - found;
    result->loss += static_cast<double>(weights[i] * miss * miss / 2);
    margin += static_cast<double>(weights[i] * found);
    by_chosen.push_back(-weights[i] * miss);
    by_rejected.push_back(weights[i] * miss);
  }
  testing::write(result->chosen_log_probs_gradient, by_chosen);
  testing::write(result->rejected_log_probs_gradient, by_rejected);
  const std::string name = "margin";
  result->metrics->metric(result->metrics->context, {name.data(), name.size()}, margin);
  return nullptr;
}

const retort_preference_v1 distance_preference{RETORT_PREFERENCE_V1_SIZE, 0, distance_requirements, distance_loss};

json dim_message(const std::string& room) {
  return {{"role", "assistant"},
          {"content", nullptr},
          {"tool_calls",
           {{{"id", "a"},
             {"type", "function"},
             {"function", {{"name", "dim"}, {"arguments", json({{"room", room}}).dump()}}}}}}};
}

/// Seven pairs of several lengths and weights.
std::string seven_pairs() {
  std::string rows;
  const std::vector<std::string> rooms = {"hall", "big kitchen", "bath", "garage behind the house"};
  for (std::size_t i = 0; i < 7; ++i)
    rows += json({{"messages", {{{"role", "user"}, {"content", "dim number " + std::string(i, 'x')}}}},
                  {"chosen", dim_message(rooms[i % 4])},
                  {"rejected", dim_message(rooms[(i + 1) % 4])},
                  {"weight", 0.5 + static_cast<double>(i)}})
                .dump() +
            "\n";
  return rows;
}

json learn_pairs(const Workplace& place, const std::string& name, bool sampled) {
  PreferenceJob job = place.job<PreferenceJob>(name, 3);
  take_small_steps(job.training);
  job.algorithm.push_back({"preference.distance", nullptr, distance_preference});
  if (sampled) {
    job.samples = PreferenceSamples{.reward = scores_of_texts, .count = 3, .max_new_tokens = 6};
  } else {
    job.dataset = job.work;
    host::write_file_atomically(job.dataset / "train.jsonl", seven_pairs());
  }
  Recorder recorder;
  learn_preferences(job, recorder.hooks());
  return said_of(recorder);
}

json distill_own_answers(const Workplace& place, const std::string& name) {
  FakeDistill loss;
  loss.on_policy_fraction = 0.5;
  testing::DistillLoopJob job = testing::distill_job(place, name, 4, place.folder() / "teacher" / "output", loss);
  take_small_steps(job.training);
  Recorder recorder;
  distill(job, recorder.hooks());
  return said_of(recorder);
}

json run_case(const std::string& which, const Workplace& place, const std::string& name) {
  if (which == "distillation") return distill_own_answers(place, name);
  if (which == "pairs") return learn_pairs(place, name, false);
  if (which == "samples") return learn_pairs(place, name, true);
  return train_policy(place, name, which == "refill");
}

/// |a − b| ≤ 1e-5 in every number, and of its size where that is above 1.
void expect_all_near(const json& a, const json& b, const std::string& where) {
  ASSERT_EQ(a.is_structured(), b.is_structured()) << where;
  if (!a.is_structured()) {
    EXPECT_NEAR(a.get<double>(), b.get<double>(), 1e-5 * std::max(1.0, std::abs(b.get<double>()))) << where;
    return;
  }
  ASSERT_EQ(a.size(), b.size()) << where << ": " << a.dump() << " and " << b.dump();
  for (const auto& [key, value] : a.items())
    expect_all_near(value, a.is_array() ? b.at(static_cast<std::size_t>(std::stoul(key))) : b.at(key),
                    where + "/" + key);
}

class ProcessesLoop : public ::testing::TestWithParam<std::string> {};

}  // namespace

/// The environment may name several; where it names none this is one alone. The test below runs it in processes of
/// their own, too.
TEST(ProcessesLoopOne, TrainsAsOneOfThoseNamed) {
  const char *folder = std::getenv("PROCESSES_TEST_FOLDER"), *which = std::getenv("PROCESSES_TEST_CASE"),
             *rank = std::getenv("RANK");
  if (folder == nullptr || which == nullptr || rank == nullptr) {
    EXPECT_GT(train_policy(Workplace(), "alone", false).at("loss").size(), 0u);
    return;
  }
  const Workplace place{fs::path(folder)};
  host::write_json(fs::path(folder) / (std::string(rank) + ".json"), run_case(which, place, rank));
}

TEST_P(ProcessesLoop, TwoGiveTheStepsOfOne) {
  const Workplace place;
  if (GetParam() == "distillation") testing::trained_teacher(place, "teacher", 8);
  const std::string port = testing::free_port();
  const auto start = [&](int rank) {
    return testing::start_process(
        "ProcessesLoopOne.TrainsAsOneOfThoseNamed", rank, 2, port,
        {"PROCESSES_TEST_FOLDER=" + place.folder().string(), "PROCESSES_TEST_CASE=" + GetParam()});
  };
  const pid_t first = start(0), second = start(1);
  ASSERT_EQ(testing::exit_code(first), 0);
  ASSERT_EQ(testing::exit_code(second), 0);
  const json alone = run_case(GetParam(), place, "alone");
  EXPECT_EQ(host::read_file(place.folder() / "0.json"), host::read_file(place.folder() / "1.json"));
  EXPECT_EQ(host::sha256_of_file(place.folder() / "0" / "output" / "model.safetensors"),
            host::sha256_of_file(place.folder() / "1" / "output" / "model.safetensors"));
  expect_all_near(host::read_json(place.folder() / "0.json"), alone, "");
  if (GetParam() == "refill") {
    double refilled = 0;
    for (const json& prompts : alone.at("refilled_prompts")) refilled += prompts.get<double>();
    EXPECT_GT(refilled, 0);
  }
  EXPECT_EQ(alone.contains("empty_answers"), GetParam() == "distillation");  // the student's own were sampled
  const CallModule one = load_call_module(place.folder() / "alone" / "output"),
                   two = load_call_module(place.folder() / "0" / "output"), start_of = load_call_module(place.policy());
  double moved = 0;
  for (std::size_t i = 0; i < one.decoder->weights().size(); ++i) {
    const auto& [name, weight] = one.decoder->weights()[i];
    EXPECT_LT((weight - two.decoder->weights()[i].second).abs().max().item<double>(), 1e-5) << name;
    moved = std::max(moved, (weight - start_of.decoder->weights()[i].second).abs().max().item<double>());
  }
  EXPECT_GT(moved, 1e-4);  // else the comparison says nothing
}

INSTANTIATE_TEST_SUITE_P(Stages, ProcessesLoop,
                         ::testing::Values("rollouts", "refill", "pairs", "samples", "distillation"),
                         [](const auto& test) { return test.param; });

}  // namespace retort::train
