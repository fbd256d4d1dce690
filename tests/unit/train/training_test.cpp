// Whole training jobs on a handful of utterances: micro-batches, resuming, learning, pruning and quantising.
#include <gtest/gtest.h>
#include <retort/abi/pruner.h>
#include <torch/types.h>

#include <fstream>

#include "host/base/files.h"
#include "train/pruning.h"
#include "train/training_fixture.h"

namespace retort::train {
namespace {

using namespace testing;

/// Runs one job whole and the other with a stop on the way: both end with the same files.
void expect_resumes(const FineTuningJob& whole, const FineTuningJob& broken) {
  LossRecorder recorder;
  fine_tune(whole, recorder.hooks());
  LossRecorder stopped;
  stopped.stop_before = 5;  // the last checkpoint is after step 4
  EXPECT_THROW(fine_tune(broken, stopped.hooks()), Stop);
  LossRecorder resumed;
  fine_tune(broken, resumed.hooks());
  EXPECT_EQ(resumed.losses.size(), 2u);
  for (const char* file : {"model.safetensors", "tokenizer.json", "config.json", "retort.json"})
    EXPECT_EQ(host::sha256_of_file(whole.output / file), host::sha256_of_file(broken.output / file)) << file;
}

}  // namespace

TEST(FineTuning, MicroBatchesGiveTheSameStep) {
  const Workplace place;
  std::vector<std::vector<double>> losses;
  for (const std::int64_t micro : {0, 1, 3}) {
    FineTuningJob job = place.job("micro" + std::to_string(micro));
    job.training.dropout = 0;
    job.training.micro_batch_size = micro;
    LossRecorder recorder;
    fine_tune(job, recorder.hooks());
    losses.push_back(recorder.losses);
  }
  for (std::size_t step = 0; step < losses[0].size(); ++step) {
    EXPECT_NEAR(losses[0][step], losses[1][step], 2e-4) << step;  // f32 sums in another order, over six steps
    EXPECT_NEAR(losses[0][step], losses[2][step], 2e-4) << step;
  }
}

TEST(FineTuning, ARunThatStoppedEndsWithTheSameBytes) {
  const Workplace place;
  for (const double dropout : {0.1, 0.0}) {
    const auto job = [&](const std::string& name) {
      FineTuningJob made = place.job(name + std::to_string(dropout));
      made.training.dropout = dropout;
      made.threads = 2;
      return made;
    };
    expect_resumes(job("whole"), job("broken"));
  }
}

TEST(FineTuning, ThreadsGiveTheSameStep) {
  const Workplace place;
  std::vector<std::vector<double>> losses;
  for (const std::int64_t threads : {1, 3}) {
    FineTuningJob job = place.job("threads" + std::to_string(threads));
    job.training.dropout = 0;
    job.threads = threads;
    LossRecorder recorder;
    fine_tune(job, recorder.hooks());
    losses.push_back(recorder.losses);
  }
  for (std::size_t step = 0; step < losses[0].size(); ++step)
    EXPECT_NEAR(losses[0][step], losses[1][step], 2e-4) << step;  // f32 sums in another order, over six steps
}

TEST(FineTuning, NamesACheckpointThatCannotBeRead) {
  const Workplace place;
  const FineTuningJob job = place.job("corrupt");
  std::ofstream(job.work / "checkpoint.pt") << "not a checkpoint";
  LossRecorder recorder;
  try {
    fine_tune(job, recorder.hooks());
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("checkpoint.pt"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("delete it"), std::string::npos) << error.what();
  }
}

TEST(FineTuning, LearnsWhatItIsShown) {
  const Workplace place;
  FineTuningJob job = place.job("learns");
  job.training.steps = 80;
  job.training.learning_rate = 1e-2;
  job.training.dropout = 0;
  LossRecorder recorder;
  const ModelSize size = fine_tune(job, recorder.hooks());
  EXPECT_GT(recorder.losses.front(), 3.0);  // about log 300
  EXPECT_LT(recorder.losses.back(), 0.1);
  EXPECT_EQ(size.bytes, 4 * size.parameters);
}

TEST(FineTuning, SaysWhenNothingIsLabelled) {
  const Workplace place;
  task::write_split(place.dataset / "train.jsonl", {{"hello", std::nullopt, nlohmann::json::object()}});
  LossRecorder recorder;
  EXPECT_THROW(fine_tune(place.job("empty"), recorder.hooks()), std::invalid_argument);
}

namespace {

/// A pruner whose plan is given by the test.
struct FixedPruner {
  std::vector<std::tuple<std::uint32_t, std::int64_t, std::vector<std::int64_t>>> plan;
  retort_bound_component component() {
    static const retort_pruner_v1 table = {
        RETORT_PRUNER_V1_SIZE, 0,
        [](retort_instance*, retort_prune_requirements* out) -> retort_error* {
          out->signals = 0;
          out->samples = 0;
          return nullptr;
        },
        [](retort_instance* self, const retort_prune_structure*, const retort_prune_signals*, const retort_prune_model*,
           const retort_prune_plan_sink* sink, const retort_metric_sink*) -> retort_error* {
          for (const auto& [axis, layer, indices] : reinterpret_cast<FixedPruner*>(self)->plan) {
            const retort_prune_keep keep{sizeof keep, axis, layer, indices.data(), indices.size()};
            sink->keep(sink->context, &keep);
          }
          return nullptr;
        }};
    return {sizeof(retort_bound_component),           0,     {"algorithm", 9}, {"prune.fixed", 11},
            reinterpret_cast<retort_instance*>(this), &table};
  }
};

PruningJob pruning_job(const Workplace& place, const fs::path& model, FixedPruner& pruner) {
  PruningJob job;
  job.dataset = place.dataset;
  job.model = model;
  job.pruner = pruner.component();
  job.output = place.root.path() / "pruned";
  fs::create_directories(job.output);
  return job;
}

}  // namespace

TEST(Pruning, CutsWhatThePlanSays) {
  const Workplace place;
  const FineTuningJob trained = place.job("trained");
  LossRecorder recorder;
  fine_tune(trained, recorder.hooks());
  FixedPruner pruner;
  pruner.plan = {{RETORT_AXIS_HIDDEN, -1, {0, 1, 2, 5, 8, 31}},
                 {RETORT_AXIS_KV_HEADS, 0, {1}},
                 {RETORT_AXIS_KV_HEADS, 1, {0}},
                 {RETORT_AXIS_FEED_FORWARD, 0, {0, 47}},
                 {RETORT_AXIS_FEED_FORWARD, 1, {3, 4}}};
  const PruningJob job = pruning_job(place, trained.output, pruner);
  prune(job, recorder.hooks());

  const model::ModelFolder before(trained.output), after(job.output);
  EXPECT_EQ(after.config().hidden_size, 6);
  EXPECT_EQ(after.config().kv_heads, 1);
  EXPECT_EQ(after.config().heads, 2);
  EXPECT_EQ(after.config().head_dim, before.config().head_dim);
  EXPECT_EQ(after.config().intermediate_size, 2);
  // Layer 0 keeps kv head 1 and with it query heads 2 and 3: its row 0 is the old row 2·8, columns 0,1,2,5,8,31.
  const std::vector<float> old_q = model::to_f32(before.tensor("model.layers.0.self_attn.q_proj.weight"));
  const std::vector<float> new_q = model::to_f32(after.tensor("model.layers.0.self_attn.q_proj.weight"));
  EXPECT_EQ(new_q[3], old_q[2 * 8 * 32 + 5]);
  const std::vector<float> old_down = model::to_f32(before.tensor("model.layers.1.mlp.down_proj.weight"));
  const std::vector<float> new_down = model::to_f32(after.tensor("model.layers.1.mlp.down_proj.weight"));
  EXPECT_EQ(new_down[5 * 2 + 1], old_down[31 * 48 + 4]);
}

TEST(Pruning, RefusesPlansThatDoNotFit) {
  const Workplace place;
  const FineTuningJob trained = place.job("trained");
  LossRecorder recorder;
  fine_tune(trained, recorder.hooks());
  const std::vector<std::tuple<std::uint32_t, std::int64_t, std::vector<std::int64_t>>> wrong = {
      {RETORT_AXIS_HIDDEN, -1, {0, 32}},        // out of range
      {RETORT_AXIS_HIDDEN, -1, {3, 2}},         // not ascending
      {RETORT_AXIS_HIDDEN, -1, {}},             // nothing
      {RETORT_AXIS_FEED_FORWARD, 2, {0}},       // no such layer
      {RETORT_AXIS_FEED_FORWARD, 0, {0, 1}},    // layers would differ
      {RETORT_AXIS_VOCABULARY, -1, {0, 1, 2}},  // an axis that it cannot cut
  };
  for (const auto& entry : wrong) {
    FixedPruner pruner;
    pruner.plan = {entry};
    const PruningJob job = pruning_job(place, trained.output, pruner);
    EXPECT_THROW(prune(job, recorder.hooks()), std::invalid_argument) << std::get<0>(entry);
    EXPECT_FALSE(fs::exists(job.output / "config.json"));
  }
}

}  // namespace retort::train
