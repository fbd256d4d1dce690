// One training of every kind, as it must come out the same in several processes and on any device.
#include "training_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "train/preference.h"

namespace retort::train::testing {
namespace {

using nlohmann::json;

/// Of what an answer is alone, so that it does not matter who scores it.
std::vector<host::RewardItem> scores_of_texts(const std::vector<task::Tool>&,
                                              const std::vector<SampledAnswer>& answers) {
  std::vector<host::RewardItem> items(answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i)
    items[i].scores = {static_cast<double>(answers[i].text.size() % 3), 0.25};
  return items;
}

/// No decay and no first step by the gradient's sign: what two processes round otherwise stays small.
void take_small_steps(TrainingOptions& training, const CaseOptions& options) {
  training.optimizer = "adafactor";
  training.learning_rate = 1e-2;
  training.batch_size = 3;  // shares of one and two prompts
  training.device = options.device;
  if (options.change) options.change(training);
}

json said_of(const Recorder& recorder) {
  json said = recorder.metrics;
  said.erase("tokens_per_second");
  return said;
}

/// One run of rollouts; `refill`: with groups left out and others asked in their place.
json train_policy(const Workplace& place, const std::string& name, const CaseOptions& options, bool refill) {
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
  take_small_steps(job.training, options);
  job.algorithm.push_back(fake.call());
  job.temperature = 0.7;
  job.max_new_tokens = 6;
  job.reward = scores_of_texts;
  Recorder recorder;
  recorder.stop_before = options.stop_before;
  recorder.kill_after = options.kill_after;
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
  write(result->chosen_log_probs_gradient, by_chosen);
  write(result->rejected_log_probs_gradient, by_rejected);
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

json learn_pairs(const Workplace& place, const std::string& name, const CaseOptions& options, bool sampled) {
  PreferenceJob job = place.job<PreferenceJob>(name, 3);
  take_small_steps(job.training, options);
  job.algorithm.push_back({"preference.distance", nullptr, distance_preference});
  if (sampled) {
    job.samples = PreferenceSamples{.reward = scores_of_texts, .count = 3, .max_new_tokens = 6};
  } else {
    job.dataset = job.work;
    host::write_file_atomically(job.dataset / "train.jsonl", seven_pairs());
  }
  Recorder recorder;
  recorder.stop_before = options.stop_before;
  recorder.kill_after = options.kill_after;
  learn_preferences(job, recorder.hooks());
  return said_of(recorder);
}

/// With a trained projection of hidden states, which the loss reads as well as logits.
json distill_states(const Workplace& place, const std::string& name, const CaseOptions& options) {
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_HIDDEN_STATES;
  loss.student_layers = loss.teacher_layers = {0, -1};
  loss.projection = true;
  DistillLoopJob job = distill_job(place, name, 4, place.folder() / "teacher" / "output", loss);
  take_small_steps(job.training, options);
  Recorder recorder;
  recorder.stop_before = options.stop_before;
  recorder.kill_after = options.kill_after;
  distill(job, recorder.hooks());
  return said_of(recorder);
}

json tune(const Workplace& place, const std::string& name, const CaseOptions& options) {
  struct Job : FineTuningJob {
    fs::path policy;
  };
  Job job = place.job<Job>(name, 6);
  job.start = job.policy;
  take_small_steps(job.training, options);
  if (options.change_tuning) options.change_tuning(job);
  Recorder recorder;
  recorder.stop_before = options.stop_before;
  recorder.kill_after = options.kill_after;
  RunHooks hooks = recorder.hooks();
  if (options.before_step)
    hooks.throw_if_stopped = [&, stop = hooks.throw_if_stopped] {
      options.before_step(recorder.step);
      stop();
    };
  fine_tune(job, hooks);
  return said_of(recorder);
}

json distill_own_answers(const Workplace& place, const std::string& name, const CaseOptions& options) {
  FakeDistill loss;
  loss.on_policy_fraction = 0.5;
  DistillLoopJob job = distill_job(place, name, 4, place.folder() / "teacher" / "output", loss);
  take_small_steps(job.training, options);
  Recorder recorder;
  recorder.stop_before = options.stop_before;
  recorder.kill_after = options.kill_after;
  distill(job, recorder.hooks());
  return said_of(recorder);
}

}  // namespace

json run_case(const std::string& which, const Workplace& place, const std::string& name, const CaseOptions& options) {
  if (which == "fine_tuning") return tune(place, name, options);
  if (which == "states") return distill_states(place, name, options);
  if (which == "distillation") return distill_own_answers(place, name, options);
  if (which == "pairs") return learn_pairs(place, name, options, false);
  if (which == "samples") return learn_pairs(place, name, options, true);
  return train_policy(place, name, options, which == "refill");
}

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

double largest_difference(const fs::path& one, const fs::path& other) {
  const CallModule a = load_call_module(one), b = load_call_module(other);
  double largest = 0;
  for (std::size_t i = 0; i < a.decoder->weights().size(); ++i) {
    const torch::Tensor apart = (a.decoder->weights()[i].second - b.decoder->weights()[i].second).abs();
    largest = std::max(largest, apart.max().item<double>());
  }
  return largest;
}

}  // namespace retort::train::testing
