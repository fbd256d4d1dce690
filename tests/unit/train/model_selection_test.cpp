// Which weights a training keeps: the best validation's, with patience, averages and checkpoints.
#include "train/model_selection.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "host/base/files.h"
#include "model/model_folder.h"
#include "train/training_fixture.h"
#include "train/validation.h"

namespace retort::train {
namespace {

using namespace testing;
using torch::Tensor;

/// One weight that every step moves, validated with given scores after every step.
struct ScriptedRun {
  TemporaryFolder work;
  Tensor weight = torch::ones({2, 2}).set_requires_grad(true);
  std::vector<double> scores;
  TrainingOptions options;
  ModelSelection selection;
  std::vector<Tensor> seen;  ///< the weight at each validation
  std::map<std::string, std::map<std::int64_t, double>> metrics;
  std::int64_t steps_done = 0;

  explicit ScriptedRun(std::vector<double> given, std::string keep = "best") : scores(std::move(given)) {
    options.warmup_fraction = 0;
    options.checkpoint_steps = 1;
    selection.keep = std::move(keep);
  }
  RunHooks hooks() {
    return {
        [this](std::string_view name, std::int64_t step, double value) { metrics[std::string(name)][step] = value; },
        [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {}, [](std::string_view) {}};
  }
  /// `fail_at`: the step that fails, -1: none.
  std::optional<double> run(std::int64_t fail_at = -1) {
    const RunHooks reports = hooks();
    const auto total = static_cast<std::int64_t>(scores.size());
    Trainer trainer(ParameterGroups({{"decoder", {{"w", weight}}}}), options, total, 0, work.path(), reports);
    std::int64_t validated = 0;
    trainer.validate_with({[&] {
                             seen.push_back(weight.detach().clone());
                             return scores[static_cast<std::size_t>(validated - 1)];
                           },
                           [&](std::int64_t done) {
                             validated = done;
                             return true;
                           },
                           selection});
    trainer.run("test", [&](std::int64_t step) {
      if (step == fail_at) throw std::runtime_error("failed");
      ++steps_done;
      weight.mutable_grad() = torch::full({2, 2}, 1.0 + 0.3 * static_cast<double>(step % 3));
      return 1.0;
    });
    return trainer.use_kept_weights();
  }
};

}  // namespace

TEST(ModelSelection, KeepsTheEarliestOfTheBest) {
  ScriptedRun run({0.1, 0.5, 0.3, 0.5, 0.2});
  EXPECT_EQ(run.run(), 0.5);
  EXPECT_EQ(run.steps_done, 5);
  ASSERT_EQ(run.seen.size(), 5u);
  EXPECT_TRUE(torch::equal(run.weight, run.seen[1]));
  EXPECT_FALSE(torch::equal(run.weight, run.seen[4]));
  EXPECT_EQ(run.metrics["best_step"][-1], 2);
  EXPECT_EQ(run.metrics["validation_exact_match"],
            (std::map<std::int64_t, double>{{0, .1}, {1, .5}, {2, .3}, {3, .5}, {4, .2}}));
}

TEST(ModelSelection, KeepsTheLastUnlessAsked) {
  ScriptedRun run({0.1, 0.5, 0.3}, "last");
  EXPECT_EQ(run.run(), 0.3);
  EXPECT_TRUE(torch::equal(run.weight, run.seen[2]));
  EXPECT_FALSE(run.metrics.contains("best_step"));
}

TEST(ModelSelection, EndsWhenPatienceDoes) {
  for (const char* keep : {"best", "last"}) {
    ScriptedRun run({0.1, 0.5, 0.3, 0.5, 0.9, 1.0}, keep);
    run.selection.patience = 2;
    EXPECT_EQ(run.run(), 0.5);
    EXPECT_EQ(run.steps_done, 4);
    EXPECT_EQ(run.metrics["steps"][-1], 4);
    EXPECT_TRUE(torch::equal(run.weight, run.seen[std::string(keep) == "best" ? 1 : 3]));
  }
}

TEST(ModelSelection, ScoresAndKeepsAveragesAndLeavesTrainingAlone) {
  ScriptedRun plain({0.1, 0.2, 0.3, 0.4}, "last"), averaged({0.4, 0.9, 0.2, 0.1});
  plain.run();
  averaged.options.average_decay = 0.5;
  averaged.run();
  // The plain weights, averaged by hand: decay min(0.5, (1 + t) / (10 + t)).
  Tensor expected = torch::ones({2, 2});
  for (std::size_t t = 0; t < 2; ++t) {
    const double decay = std::min(0.5, (1.0 + static_cast<double>(t)) / (10.0 + static_cast<double>(t)));
    expected = decay * expected + (1 - decay) * plain.seen[t];
  }
  EXPECT_TRUE(torch::allclose(averaged.weight, expected, 1e-6, 1e-6));
  EXPECT_TRUE(torch::equal(averaged.weight, averaged.seen[1]));
}

TEST(ModelSelection, GoesOnFromACheckpointAsIfNothingHadHappened) {
  for (const std::int64_t fail_at : {1, 3, 5}) {
    ScriptedRun whole({0.2, 0.5, 0.3, 0.4, 0.1, 0.6}), broken(whole.scores);
    whole.selection.patience = broken.selection.patience = 3;
    const auto expected = whole.run();
    try {
      broken.run(fail_at);
      EXPECT_GE(fail_at, whole.steps_done);
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "failed");
      broken.weight.detach().fill_(7);  // a new process has other weights
      EXPECT_EQ(broken.run(), expected);
    }
    EXPECT_TRUE(torch::equal(whole.weight, broken.weight)) << fail_at;
    EXPECT_EQ(whole.metrics["best_step"], broken.metrics["best_step"]);
    EXPECT_EQ(whole.metrics["steps"], broken.metrics["steps"]);
  }
}

namespace {

/// The training rows again as validation rows of two kinds, the second of which nobody can answer.
void write_validation(const fs::path& dataset) {
  std::vector<task::Example> rows = task::read_split(dataset / "train.jsonl").examples;
  rows.resize(8);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].metadata = {{"kind", i < 4 ? "known" : "impossible"}};
    if (i >= 4) (*rows[i].calls)[0].arguments["level"] = 999;
  }
  task::write_split(dataset / "validation.jsonl", rows);
}

}  // namespace

TEST(ModelSelection, ChoosesByTheNamedKindOfRows) {
  const Workplace place;
  write_validation(place.dataset);
  EXPECT_EQ(validation_examples(place.dataset, 100).size(), 8u);
  EXPECT_EQ(validation_examples(place.dataset, 3, 0.01, {"impossible"}).size(), 3u);
  EXPECT_EQ(validation_examples(place.dataset, 100, 0.01, {"impossible"})[0].metadata["kind"], "impossible");
  try {
    validation_examples(place.dataset, 100, 0.01, {"wild"});
    FAIL() << "expected an error";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("\"impossible\", \"known\""), std::string::npos) << text;
    EXPECT_NE(text.find("found \"wild\""), std::string::npos) << text;
  }
}

TEST(ModelSelection, AWholeTrainingWritesTheBestModelAndItsScore) {
  const Workplace place;
  write_validation(place.dataset);
  FineTuningJob job = place.job("best");
  job.training.steps = 90;
  job.training.learning_rate = 1e-2;
  job.training.average_decay = 0;
  job.training.dropout = 0;
  job.validation = {10, {"known"}, "best", 0};
  LossRecorder recorder;
  fine_tune(job, recorder.hooks());
  const auto& scores = recorder.metrics["validation_exact_match"];
  double best = 0;
  for (const auto& [step, score] : scores) {
    if (step < 0) continue;
    EXPECT_EQ(step % 10, 9);
    best = std::max(best, score);
  }
  EXPECT_GT(best, 0);
  EXPECT_EQ(scores.at(-1), best);
  CallModule written = load_call_module(job.output);
  Validator validator(*written.decoder, written.tokenizer, written.contract,
                      validation_examples(place.dataset, 100, 0.01, {"known"}), 1);
  EXPECT_EQ(validator.exact_match_share(), best);
  Validator both(*written.decoder, written.tokenizer, written.contract, validation_examples(place.dataset, 100), 1);
  EXPECT_EQ(both.exact_match_share(), best / 2);
}

TEST(ModelSelection, RefusesToChooseByNothing) {
  const Workplace place;
  FineTuningJob job = place.job("nothing");
  LossRecorder recorder;
  job.validation.keep = "best";
  EXPECT_THROW(fine_tune(job, recorder.hooks()), std::invalid_argument);
  job.validation = {.patience = 1};
  EXPECT_THROW(fine_tune(job, recorder.hooks()), std::invalid_argument);
}

}  // namespace retort::train
