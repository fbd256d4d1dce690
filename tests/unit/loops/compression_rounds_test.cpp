// Cut → recover → cut → recover: the bytes of doing it by hand, also for a run that was killed; and a vocabulary that
// is cut to a task from a model that calls by its own chat template: the same calls.
#include <gtest/gtest.h>
#include <retort/abi/pruner.h>

#include <functional>
#include <set>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "runtime/generate/call_model.h"
#include "runtime/measure/forced_answers.h"
#include "task/dataset.h"
#include "text/bpe_trainer.h"
#include "train/pruning.h"
#include "train/recovery.h"
#include "train/token_loss.h"

namespace retort::train {
namespace {

using namespace testing;

/// Keeps what the test says of one axis.
struct KeepPruner {
  std::uint64_t signals = 0;
  std::function<std::vector<retort_prune_keep>(const retort_prune_structure&, const retort_prune_signals&)> plan;
  std::vector<std::int64_t> indices;

  static KeepPruner& self(retort_instance* instance) { return *reinterpret_cast<KeepPruner*>(instance); }
  static const retort_pruner_v1& table() {
    static const retort_pruner_v1 functions = {
        RETORT_PRUNER_V1_SIZE, 0,
        [](retort_instance* instance, retort_prune_requirements* out) -> retort_error* {
          out->signals = self(instance).signals;
          out->samples = 100;
          return nullptr;
        },
        [](retort_instance* instance, const retort_prune_structure* structure, const retort_prune_signals* signals,
           const retort_prune_model*, const retort_prune_plan_sink* sink, const retort_metric_sink*) -> retort_error* {
          for (const retort_prune_keep& keep : self(instance).plan(*structure, *signals))
            sink->keep(sink->context, &keep);
          return nullptr;
        }};
    return functions;
  }
  retort_bound_component bound() {
    return {sizeof(retort_bound_component),           0,       {"algorithm", 9}, {"prune.kept", 10},
            reinterpret_cast<retort_instance*>(this), &table()};
  }
};

/// Channels 0 … `left` − 1 of every feed-forward stay.
KeepPruner narrow_to(std::int64_t left) {
  KeepPruner pruner;
  for (std::int64_t i = 0; i < left; ++i) pruner.indices.push_back(i);
  return pruner;
}

void finish(KeepPruner& pruner) {
  pruner.plan = [&pruner](const retort_prune_structure& structure, const retort_prune_signals&) {
    std::vector<retort_prune_keep> keeps;
    for (std::int64_t layer = 0; layer < structure.layers; ++layer)
      keeps.push_back(
          {sizeof(retort_prune_keep), RETORT_AXIS_FEED_FORWARD, layer, pruner.indices.data(), pruner.indices.size()});
    return keeps;
  };
}

class CutInRounds : public ::testing::Test {
 protected:
  CutInRounds() { finish(first_), finish(second_); }
  CutSchedule schedule(const std::string& name) {
    const DistillLoopJob own = distill_job(place_, name, 3, place_.policy(), loss_);
    CutSchedule job;
    job.dataset = place_.dataset();
    job.model = place_.policy();
    job.pruners = {first_.bound(), second_.bound()};
    job.losses = {loss_.plugin()};
    job.recovery.training = own.training;
    job.recovery.validation_limit = 0;
    job.seed = own.seed;
    job.output = own.output;
    job.work = own.work;
    return job;
  }
  static std::string weights(const std::filesystem::path& folder) {
    return host::sha256_of_file(folder / "model.safetensors");
  }
  Workplace place_;
  FakeDistill loss_;
  KeepPruner first_ = narrow_to(16), second_ = narrow_to(8);
};

TEST_F(CutInRounds, IsPruningAndDistillingInTurn) {
  const CutSchedule job = schedule("rounds");
  Recorder recorder;
  cut_in_rounds(job, recorder.hooks());
  EXPECT_EQ(recorder.metrics["loss"].size(), 6U);

  std::filesystem::path model = place_.policy();
  for (const auto& [name, pruner] : {std::pair<std::string, KeepPruner*>{"one", &first_}, {"two", &second_}}) {
    const DistillLoopJob cut = distill_job(place_, name + "-cut", 3, place_.policy(), loss_);
    PruningJob pruning;
    pruning.dataset = place_.dataset();
    pruning.model = model;
    pruning.pruner = pruner->bound();
    pruning.seed = cut.seed;
    pruning.output = cut.output;
    Recorder ignored;
    prune(pruning, ignored.hooks());
    DistillLoopJob learn = distill_job(place_, name, 3, place_.policy(), loss_);
    learn.student = cut.output;
    distil(learn);
    model = learn.output;
  }
  EXPECT_EQ(weights(job.output), weights(model));
  EXPECT_EQ(model::ModelFolder(job.output).config().intermediate_size, 8);
}

TEST_F(CutInRounds, AKilledScheduleEndsWithTheSameBytes) {
  const CutSchedule whole = schedule("whole"), killed = schedule("killed");
  Recorder recorder;
  cut_in_rounds(whole, recorder.hooks());
  for (const int after : {1, 4}) {  // within the first round's recovery, then within the second's
    int seen = 0;
    Recorder own;
    RunHooks hooks = own.hooks();
    const auto metric = hooks.metric;
    hooks.metric = [&](std::string_view name, std::int64_t step, double value) {
      metric(name, step, value);
      if (name == "loss" && ++seen == after) throw Stop();
    };
    EXPECT_THROW(cut_in_rounds(killed, hooks), Stop);
  }
  Recorder last;
  cut_in_rounds(killed, last.hooks());
  EXPECT_LT(last.metrics["loss"].size(), 6U);  // the first round was found again
  EXPECT_EQ(weights(killed.output), weights(whole.output));
}

TEST_F(CutInRounds, WithoutALossNothingLearnsAndWithoutAPrunerNothingStarts) {
  CutSchedule job = schedule("bare");
  job.losses.clear();
  Recorder recorder;
  cut_in_rounds(job, recorder.hooks());
  EXPECT_TRUE(recorder.metrics["loss"].empty());
  const auto before = model::to_f32(model::ModelFolder(place_.policy()).tensor("model.layers.1.mlp.up_proj.weight"));
  const auto after = model::to_f32(model::ModelFolder(job.output).tensor("model.layers.1.mlp.up_proj.weight"));
  ASSERT_EQ(after.size(), 8U * 16);
  EXPECT_TRUE(std::equal(after.begin(), after.end(), before.begin()));
  job.pruners.clear();
  EXPECT_THROW(cut_in_rounds(job, recorder.hooks()), std::invalid_argument);
}

TEST(Rewinding, LaterRoundsBeginAnewOrGoOnAtTheLastRate) {
  RecoveryOptions options;
  options.training.learning_rate = 1e-3;
  options.training.final_fraction = .1;
  EXPECT_EQ(training_of_round(options, 3).schedule, "cosine");
  EXPECT_EQ(training_of_round(options, 3).learning_rate, 1e-3);
  options.rewind = false;
  EXPECT_EQ(training_of_round(options, 0).schedule, "cosine");
  const TrainingOptions later = training_of_round(options, 1);
  EXPECT_EQ(later.schedule, "constant");
  EXPECT_DOUBLE_EQ(later.learning_rate, 1e-4);
  EXPECT_EQ(later.warmup_fraction, 0);
  options.training.final_fraction = 0;
  EXPECT_THROW(training_of_round(options, 1), std::invalid_argument);
}

constexpr const char* own_template =
    "{% if tools %}{% for tool in tools %}{{ tool.function.name }} {% endfor %}{% endif %}"
    "{% for message in messages %}{{ message.role }}:{{ message.content }}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}{{ call.function | tojson }}{% endfor %}{% endif %}"
    "<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

TEST(VocabularyOfATask, LeavesTheCallsOfAModelThatCallsByItsOwnTemplate) {
  const runtime::testing::TemporaryFolder root;
  const std::filesystem::path model = root.path() / "model", data = root.path() / "data";
  const std::string tokenizer = text::train_byte_level_bpe(
      {"dim the kitchen light", "dim the hall light to ten", "purple elephants seldom whistle in winter",
       "purple elephants whistle seldom in winter", "a quarterly report about volcanic marmalade",
       "about volcanic marmalade a quarterly report", "{\"name\": \"dim\", \"arguments\": {\"room\": \"hall\"}}"},
      {.vocabulary_size = 400, .special_tokens = {"<|eot|>"}});
  model::ModelConfig config = runtime::testing::awkward_config();
  config.vocabulary_size = text::Tokenizer::parse(tokenizer, "the test's").vocabulary_size() + 3;
  runtime::testing::write_model(model, config, runtime::testing::random_weights(config, 3),
                                runtime::testing::Storage::f32);
  host::write_file_atomically(model / "tokenizer.json", tokenizer);
  host::write_file_atomically(model / "chat_template.jinja", own_template);
  std::filesystem::create_directories(data);
  host::write_file_atomically(data / "tools.json", R"([{"type":"function","function":{"name":"dim","description":"",
      "parameters":{"type":"object","properties":{"room":{"type":"string"}}}}}])");
  std::vector<task::Example> examples;
  for (const char* room : {"kitchen", "hall", "bath", "attic"})
    examples.push_back({"dim the light in the " + std::string(room), std::vector<task::Call>{{"dim", {{"room", room}}}},
                        nlohmann::json::object()});
  task::write_split(data / "train.jsonl", examples);
  FineTuningJob job;
  job.dataset = data;
  job.start = model;
  job.call_format = "chat_template";
  job.training.steps = 80;
  job.training.learning_rate = 3e-3;
  job.validation_limit = 0;
  job.output = root.path() / "taught";
  job.work = root.path() / "work";
  const std::filesystem::path cut = root.path() / "cut";
  for (const auto& folder : {job.output, job.work, cut}) std::filesystem::create_directories(folder);
  Recorder recorder;
  fine_tune(job, recorder.hooks());

  KeepPruner pruner{.signals = RETORT_SIGNAL_TOKEN_COUNTS, .plan = {}, .indices = {}};
  pruner.plan = [&](const retort_prune_structure& structure, const retort_prune_signals& signals) {
    std::set<std::int64_t> kept;
    for (const std::int64_t id : integers_of(signals.required_tokens)) kept.insert(id);
    const std::vector<float> counts = floats_of(signals.token_counts);
    for (std::size_t id = 0; id < counts.size(); ++id)
      if (counts[id] > 0) kept.insert(static_cast<std::int64_t>(id));
    pruner.indices.assign(kept.begin(), kept.end());
    EXPECT_LT(static_cast<std::int64_t>(kept.size()), structure.vocabulary);
    return std::vector<retort_prune_keep>{
        {sizeof(retort_prune_keep), RETORT_AXIS_VOCABULARY, -1, pruner.indices.data(), pruner.indices.size()}};
  };
  PruningJob pruning;
  pruning.dataset = data;
  pruning.model = job.output;
  pruning.pruner = pruner.bound();
  pruning.output = cut;
  prune(pruning, recorder.hooks());

  runtime::CallModel before(job.output, {}), after(cut, {});
  EXPECT_LT(after.folder().config().vocabulary_size + 20, before.folder().config().vocabulary_size);
  EXPECT_LT(after.folder().config().parameters(), before.folder().config().parameters());
  std::vector<runtime::LabelledUtterance> rows;
  std::size_t exact = 0;
  for (const task::Example& example : examples) {
    rows.push_back({example.utterance(), *example.calls, {}, {}});
    const runtime::Answer whole = before.answer(example.utterance()), small = after.answer(example.utterance());
    EXPECT_EQ(whole.text, small.text);
    ASSERT_TRUE(std::holds_alternative<std::vector<task::Call>>(whole.parsed)) << whole.text;
    exact += task::exact_match(std::get<std::vector<task::Call>>(whole.parsed), *example.calls) ? 1 : 0;
    ASSERT_TRUE(std::holds_alternative<std::vector<task::Call>>(small.parsed)) << small.text;
    EXPECT_EQ(std::get<std::vector<task::Call>>(whole.parsed), std::get<std::vector<task::Call>>(small.parsed));
  }
  EXPECT_GE(exact, 3U);
  // Among fewer tokens the right ones are no less likely; and the runtime's loss is LibTorch's.
  const runtime::ForcedAnswers forced = force_answers(before, rows), kept = force_answers(after, rows);
  EXPECT_EQ(forced.tokens, kept.tokens);
  EXPECT_LE(kept.loss, forced.loss + 1e-5);
  const CallModule module = load_call_module(cut);
  EXPECT_NEAR(kept.loss,
              mean_token_loss(*module.decoder, to_sequences(examples, module.contract, module.tokenizer, 640)), 1e-4);
}

}  // namespace
}  // namespace retort::train
