// The preference loop as a unit, with a loss of the test: what it is shown, and what becomes of its gradient.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/base/files.h"
#include "host/base/json.h"
#include "policy_fixture.h"
#include "task/template_form.h"
#include "text/bpe_trainer.h"
#include "train/preference.h"
#include "train/preference_data.h"

namespace retort::train {
namespace {

using testing::Recorder;
using testing::Workplace;

struct Seen {
  std::vector<float> chosen, rejected, chosen_lengths, rejected_lengths, reference_chosen, reference_rejected;
  std::vector<float> chosen_weights, rejected_weights;
  double step_weight = 0;
  std::int64_t step = 0, total_steps = 0;
};

/// Σ weight·(log π(rejected) − log π(chosen)): every gradient is the weight or its opposite.
struct FakePreference {
  retort_preference_requirements wanted{sizeof(retort_preference_requirements), 0, 0};
  std::vector<Seen> seen;
  host::PreferenceCall call();
};

retort_error* fake_requirements(retort_instance* instance, retort_preference_requirements* out) {
  *out = reinterpret_cast<FakePreference*>(instance)->wanted;
  return nullptr;
}

retort_error* fake_loss(retort_instance* instance, const retort_preference_batch* batch,
                        retort_preference_result* result) {
  using testing::floats_of;
  Seen seen{floats_of(batch->chosen_log_probs),
            floats_of(batch->rejected_log_probs),
            floats_of(batch->chosen_lengths),
            floats_of(batch->rejected_lengths),
            floats_of(batch->reference_chosen_log_probs),
            floats_of(batch->reference_rejected_log_probs),
            floats_of(batch->chosen_weights),
            floats_of(batch->rejected_weights),
            batch->step_weight,
            batch->step,
            batch->total_steps};
  result->loss = 0;
  std::vector<float> by_chosen;
  for (std::size_t i = 0; i < seen.chosen.size(); ++i) {
    result->loss -= static_cast<double>(seen.chosen_weights[i]) * seen.chosen[i];
    by_chosen.push_back(-seen.chosen_weights[i]);
  }
  for (std::size_t i = 0; i < seen.rejected.size(); ++i)
    result->loss += static_cast<double>(seen.rejected_weights[i]) * seen.rejected[i];
  if (result->chosen_log_probs_gradient != nullptr) testing::write(result->chosen_log_probs_gradient, by_chosen);
  if (result->rejected_log_probs_gradient != nullptr)
    testing::write(result->rejected_log_probs_gradient, seen.rejected_weights);
  const std::string name = "pairs";
  result->metrics->metric(result->metrics->context, {name.data(), name.size()},
                          static_cast<double>(seen.chosen_weights.size()));
  reinterpret_cast<FakePreference*>(instance)->seen.push_back(std::move(seen));
  return nullptr;
}

const retort_preference_v1 fake_preference{RETORT_PREFERENCE_V1_SIZE, 0, fake_requirements, fake_loss};

host::PreferenceCall FakePreference::call() {
  return {"preference.fake", reinterpret_cast<retort_instance*>(this), fake_preference};
}

const char* const message =
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"dim","arguments":"{\"room\":\"%\"}"}}]})";

std::string assistant(const std::string& room) {
  std::string text = message;
  return text.replace(text.find('%'), 1, room);
}

std::string row(const std::string& asked, const std::string& chosen, const std::string& rejected,
                const std::string& weight = "1") {
  return R"({"messages":[{"role":"user","content":")" + asked + R"("}],"chosen":)" + assistant(chosen) +
         R"(,"rejected":)" + assistant(rejected) + R"(,"weight":)" + weight + "}\n";
}

struct PreferenceLoop : ::testing::Test {
  Workplace place;
  FakePreference fake;
  Recorder recorder;

  PreferenceJob job(const std::string& name, std::int64_t steps = 1) {
    PreferenceJob made = place.job<PreferenceJob>(name, steps);
    made.algorithm.push_back(fake.call());
    return made;
  }
  void write_rows(const std::string& rows) const { host::write_file_atomically(place.dataset() / "train.jsonl", rows); }
  Sequence sequence(const std::string& asked, const std::string& room) const {
    const CallModule module = load_call_module(place.policy());
    return {module.contract.prompt(module.tokenizer, asked),
            module.contract.response(module.tokenizer, asked, {{"dim", {{"room", room}}}}), 0};
  }
  double log_prob(const testing::fs::path& model, const Sequence& of) const {
    const std::vector<double> tokens = testing::reference_log_probs(model, of, 1);
    return std::accumulate(tokens.begin(), tokens.end(), 0.0);
  }
};

TEST_F(PreferenceLoop, ShowsSumsLengthsAndWeightsOfBothSides) {
  write_rows(row("dim the hall", "hall", "big kitchen", "0.5") + row("and the bath", "bath", "hall", "2"));
  fake.wanted.signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  learn_preferences(job("seen"), recorder.hooks());
  ASSERT_EQ(fake.seen.size(), 1u);
  const Seen& seen = fake.seen[0];
  const std::size_t first = seen.chosen_weights[0] == .5F ? 0 : 1;  // the order of a batch is drawn
  struct Pair {
    std::string asked, chosen, rejected;
    float weight;
  };
  const Pair pairs[] = {{"dim the hall", "hall", "big kitchen", .5F}, {"and the bath", "bath", "hall", 2}};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t at = i == 0 ? first : 1 - first;
    const Sequence chosen = sequence(pairs[i].asked, pairs[i].chosen),
                   rejected = sequence(pairs[i].asked, pairs[i].rejected);
    EXPECT_NEAR(seen.chosen[at], log_prob(place.policy(), chosen), 1e-3);
    EXPECT_NEAR(seen.rejected[at], log_prob(place.policy(), rejected), 1e-3);
    EXPECT_EQ(seen.chosen_lengths[at], static_cast<float>(chosen.response.size()));
    EXPECT_EQ(seen.rejected_lengths[at], static_cast<float>(rejected.response.size()));
    EXPECT_EQ(seen.chosen_weights[at], pairs[i].weight);
    EXPECT_EQ(seen.rejected_weights[at], pairs[i].weight);
    EXPECT_NEAR(seen.reference_chosen[at], seen.chosen[at], 1e-4);
    EXPECT_NEAR(seen.reference_rejected[at], seen.rejected[at], 1e-4);
  }
  EXPECT_NE(seen.chosen_lengths[first], seen.rejected_lengths[first]);
  EXPECT_EQ(seen.step_weight, 2.5);
  EXPECT_EQ(seen.step, 0);
  EXPECT_EQ(seen.total_steps, 1);
  EXPECT_NEAR(recorder.metrics.at("pairs").at(0), 2 / 2.5, 1e-12);
}

TEST_F(PreferenceLoop, WeightsMoveTowardsTheChosenAnswerByTheRate) {
  write_rows(row("dim the hall", "hall", "kitchen", "3") + row("and the bath", "bath", "hall", "1"));
  const PreferenceJob made = job("moves");
  learn_preferences(made, recorder.hooks());
  const Sequence chosen[] = {sequence("dim the hall", "hall"), sequence("and the bath", "bath")};
  const Sequence rejected[] = {sequence("dim the hall", "kitchen"), sequence("and the bath", "hall")};
  testing::expect_first_step(place.policy(), made.output, 1e-3, [&](DecoderModule& decoder) {
    const auto sum = [&](const Sequence& of) { return testing::response_log_probs(decoder, of, 1).sum(); };
    return (3 * (sum(rejected[0]) - sum(chosen[0])) + sum(rejected[1]) - sum(chosen[1])) / 4;
  });
  const auto margin = [&](const testing::fs::path& model) {
    return log_prob(model, chosen[0]) - log_prob(model, rejected[0]);
  };
  EXPECT_GT(margin(made.output), margin(place.policy()));
}

TEST_F(PreferenceLoop, TheReferenceStaysWhatTrainingBeganWith) {
  write_rows(row("dim the hall", "hall", "kitchen"));
  fake.wanted.signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  learn_preferences(job("reference", 4), recorder.hooks());
  ASSERT_EQ(fake.seen.size(), 4u);
  for (const Seen& seen : fake.seen) {
    EXPECT_EQ(seen.reference_chosen, fake.seen[0].reference_chosen);
    EXPECT_EQ(seen.reference_rejected, fake.seen[0].reference_rejected);
  }
  EXPECT_GT(fake.seen[3].chosen[0] - fake.seen[3].rejected[0], fake.seen[0].chosen[0] - fake.seen[0].rejected[0]);
}

TEST_F(PreferenceLoop, UnpairedSequencesCountEach) {
  const std::string both = row("dim the hall", "hall", "kitchen", "2");
  const std::string good =
      R"({"messages":[{"role":"user","content":"and the bath"}],"chosen":)" + assistant("bath") + "}\n";
  write_rows(both + good);
  EXPECT_THROW(learn_preferences(job("paired"), recorder.hooks()), std::runtime_error);
  fake.wanted.flags = RETORT_PREFERENCE_UNPAIRED;
  PreferenceJob made = job("unpaired");
  made.training.batch_size = 3;
  learn_preferences(made, recorder.hooks());
  ASSERT_EQ(fake.seen.size(), 1u);
  EXPECT_EQ(fake.seen[0].chosen.size(), 2u);
  EXPECT_EQ(fake.seen[0].rejected.size(), 1u);
  EXPECT_EQ(fake.seen[0].step_weight, 5);
}

TEST_F(PreferenceLoop, PairsOfSamplesAreTheBestAndTheWorst) {
  PreferenceJob made = job("samples");
  std::vector<SampledAnswer> asked;
  made.samples = PreferenceSamples{.reward =
                                       [&](const std::vector<task::Tool>&, const std::vector<SampledAnswer>& answers) {
                                         asked = answers;
                                         std::vector<host::RewardItem> items(answers.size());
                                         const double scores[] = {.2, .9, .9, -1};
                                         for (std::size_t i = 0; i < items.size(); ++i)
                                           items[i].scores = {i < 4 ? scores[i] : .5};
                                         return items;
                                       },
                                   .count = 4,
                                   .max_new_tokens = 6};
  learn_preferences(made, recorder.hooks());
  ASSERT_EQ(fake.seen.size(), 1u);
  ASSERT_EQ(asked.size(), 80u);
  EXPECT_EQ(fake.seen[0].chosen.size(), 1u);  // the other 19 prompts' samples are all alike
  EXPECT_EQ(recorder.metrics.at("preferences"), (std::vector<double>{1}));
}

TEST_F(PreferenceLoop, ARunThatStoppedEndsWithTheSameBytes) {
  write_rows(row("dim the hall", "hall", "kitchen") + row("and the bath", "bath", "hall") +
             row("then the garage", "garage", "hall"));
  fake.wanted.signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  const PreferenceJob whole = job("whole", 5), broken = job("broken", 5);
  learn_preferences(whole, recorder.hooks());
  Recorder stopped;
  stopped.stop_before = 3;
  EXPECT_THROW(learn_preferences(broken, stopped.hooks()), testing::Stop);
  Recorder resumed;
  learn_preferences(broken, resumed.hooks());
  EXPECT_EQ(resumed.metrics.at("loss").size(), 2u);
  EXPECT_EQ(place.bytes_of(whole), place.bytes_of(broken));
}

TEST_F(PreferenceLoop, RecomputationChangesNothingAndHalfPrecisionIsAskedForByName) {
  write_rows(row("dim the hall", "hall", "kitchen") + row("and the bath", "bath", "hall"));
  fake.wanted.signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  const auto bytes = [&](const std::string& name, const std::function<void(TrainingOptions&)>& change) {
    PreferenceJob made = job(name, 2);
    change(made.training);
    learn_preferences(made, recorder.hooks());
    return place.bytes_of(made);
  };
  const std::string exact = bytes("exact", [](TrainingOptions&) {});
  const Seen first = fake.seen.front();
  EXPECT_EQ(bytes("recomputed", [](TrainingOptions& training) { training.recompute = true; }), exact);
  EXPECT_EQ(bytes("automatic", [](TrainingOptions& training) { training.precision = "auto"; }), exact);
  fake.seen.clear();
  bytes("half", [](TrainingOptions& training) { training.precision = "bf16"; });
  const Seen half = fake.seen.front();
  EXPECT_NE(half.chosen, first.chosen);
  for (std::size_t i = 0; i < half.chosen.size(); ++i) {
    EXPECT_NEAR(half.chosen[i], first.chosen[i], .2) << i;
    EXPECT_NEAR(half.reference_chosen[i], half.chosen[i], .2) << i;
    EXPECT_NE(half.reference_chosen[i], first.reference_chosen[i]) << i;
  }
}

TEST_F(PreferenceLoop, ADivergenceLeavesTheBatchOfBothSides) {
  write_rows(row("dim the hall", "hall", "kitchen"));
  PreferenceJob made = job("diverged", 3);
  made.training.learning_rate = 1e30;
  EXPECT_THROW(learn_preferences(made, recorder.hooks()), std::runtime_error);
  const nlohmann::json batch = host::read_json(made.work / "diverged.json").at("batch");
  EXPECT_NE(batch.at("chosen").at(0).at("response").get<std::string>().find("hall"), std::string::npos) << batch;
  EXPECT_NE(batch.at("rejected").at(0).at("response").get<std::string>().find("kitchen"), std::string::npos) << batch;
}

TEST(PreferenceData, HowManyRowsMayBeUnusableIsTheCallersToSay) {
  const runtime::testing::TemporaryFolder folder;
  std::string text = row("dim it", "hall", "hall");
  for (int i = 0; i < 3; ++i) text += row("dim it", "hall", "bath");
  host::write_file_atomically(folder.path() / "rows.jsonl", text);
  EXPECT_THROW(read_preferences(folder.path() / "rows.jsonl", true, 0.2), std::runtime_error);
  const PreferenceRows read = read_preferences(folder.path() / "rows.jsonl", true, 0.25);
  EXPECT_EQ(read.rows.size(), 3u);
  EXPECT_EQ(read.rejected.size(), 1u);
}

/// What the model cannot hold or write is left out and counted, as everywhere.
TEST_F(PreferenceLoop, RowsThatTheModelCannotWriteAreLeftOutAndCounted) {
  const std::string good = row("dim the hall", "hall", "kitchen");
  std::string unknown = row("dim it", "hall", "bath");
  unknown.replace(unknown.find("\"dim\""), 5, "\"light\"");
  write_rows(good + row(std::string(400, 'x'), "hall", "bath") + unknown + good);
  PreferenceJob made = job("some");
  EXPECT_THROW(learn_preferences(made, recorder.hooks()), std::runtime_error);
  made.training.max_rejected_share = .5;
  std::string said;
  RunHooks hooks = recorder.hooks();
  hooks.log = [&](std::string_view line) { said += line; };
  learn_preferences(made, hooks);
  EXPECT_EQ(recorder.metrics.at("rejected_rows").back(), 2);
  EXPECT_EQ(recorder.metrics.at("preferences").back(), 2);
  for (const char* reason : {"line 2 cannot be used", "the model holds", "line 3 cannot be used", "light"})
    EXPECT_NE(said.find(reason), std::string::npos) << reason << " in " << said;
}

/// Answers in words are answers: of a model that calls by its own template they are learnt, and differ.
TEST(PreferenceData, TextsArePreferredAsCallsAre) {
  const runtime::testing::TemporaryFolder folder;
  const auto said = [](const char* text) { return nlohmann::json{{"role", "assistant"}, {"content", text}}; };
  const auto line = [&](const nlohmann::json& chosen, const nlohmann::json& rejected) {
    return nlohmann::json{
               {"messages", {{{"role", "user"}, {"content", "dim it"}}}}, {"chosen", chosen}, {"rejected", rejected}}
               .dump() +
           "\n";
  };
  const char* const source =
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
      "'\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  const task::PromptContract contract(
      task::template_form(task::ChatTemplate::from_json(
          {{"template", {{"default", source}}}, {"special_tokens", nlohmann::json::object()}}, "t")),
      {});
  const text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({"Which room"},
                                 {.vocabulary_size = 300, .special_tokens = {"<|im_start|>", "<|im_end|>"}}),
      "test");
  host::write_file_atomically(folder.path() / "rows.jsonl", line(said("Which room?"), said("Done.")));
  PreferenceRows rows = read_preferences(folder.path() / "rows.jsonl", true, 0);
  const PreferenceData data = to_preferences(rows, contract, tokenizer, 256, true, 0);
  ASSERT_EQ(data.items.size(), 1u);
  EXPECT_EQ(tokenizer.decode(data.sequences[0].response, true), "Which room?<|im_end|>");
  EXPECT_EQ(tokenizer.decode(data.sequences[1].response, true), "Done.<|im_end|>");
}

TEST(PreferenceData, RefusesRowsThatPreferNothing) {
  const runtime::testing::TemporaryFolder folder;
  const auto reason = [&](const std::string& text) {
    host::write_file_atomically(folder.path() / "rows.jsonl", text);
    try {
      read_preferences(folder.path() / "rows.jsonl", true, 0.01);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(reason("").find("found none"), std::string::npos);
  EXPECT_NE(reason(row("dim it", "hall", "hall")).find("another answer than the chosen one"), std::string::npos);
  EXPECT_NE(reason(row("dim it", "hall", "bath", "0")).find("above 0"), std::string::npos);
  EXPECT_NE(
      reason(R"({"messages":[{"role":"user","content":"a"}],"chosen":)" + assistant("bath") + "}").find("rejected"),
      std::string::npos);
  EXPECT_NE(reason(R"({"messages":[],"chosen":)" + assistant("a") + R"(,"rejected":)" + assistant("b") + "}")
                .find("messages"),
            std::string::npos);
  EXPECT_EQ(reason(row("dim it", "hall", "bath")), "");
}

TEST(PreferenceData, TiesGoToTheEarlierAnswerAndErrorsTakeNoPart) {
  std::vector<Sequence> sequences;
  std::vector<SampledAnswer> answers;
  std::vector<host::RewardItem> verdicts;
  const auto add = [&](std::size_t prompt, double score, const std::string& error = "") {
    sequences.push_back({{1}, {static_cast<text::TokenId>(sequences.size() + 10)}, 0});
    answers.push_back({nullptr, prompt, task::Malformed{""}, ""});
    verdicts.push_back({{score, 100 - score}, false, "", error});
    if (!error.empty()) verdicts.back().scores.clear();
  };
  add(0, .5), add(0, .1), add(0, .5), add(0, .1), add(0, 2, "out of reach");
  add(1, .4), add(1, .45);
  const PreferenceData found = best_against_worst(sequences, answers, verdicts, {}, .1, true);
  ASSERT_EQ(found.items.size(), 1u);
  EXPECT_EQ(found.sequences[0].response, (std::vector<text::TokenId>{10}));
  EXPECT_EQ(found.sequences[1].response, (std::vector<text::TokenId>{11}));
  const PreferenceData turned = best_against_worst(sequences, answers, verdicts, {0, 1}, .01, false);
  ASSERT_EQ(turned.items.size(), 4u);
  EXPECT_EQ(turned.sequences[0].response, (std::vector<text::TokenId>{11}));
  EXPECT_EQ(turned.items[1].chosen, -1);
  EXPECT_EQ(turned.items[1].rejected, 1);
}

}  // namespace
}  // namespace retort::train
