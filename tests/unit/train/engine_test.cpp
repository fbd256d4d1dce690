// Options of a training, on whole jobs: losses, packing, LoRA, optimisers, schedules, and what a divergence leaves.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "host/base/files.h"
#include "train/corpus.h"
#include "train/distillation_step.h"
#include "train/learning_rate.h"
#include "train/model_weights.h"
#include "train/reference_sampling.h"
#include "train/training_fixture.h"

namespace retort::train {
namespace {

using namespace testing;
using torch::Tensor;

/// A job without what is random in a step.
FineTuningJob plain_job(const Workplace& place, const std::string& name) {
  FineTuningJob job = place.job(name);
  job.training.dropout = 0;
  job.training.average_decay = 0;
  return job;
}

LossRecorder trained(const FineTuningJob& job) {
  LossRecorder recorder;
  fine_tune(job, recorder.hooks());
  return recorder;
}

/// A model that has learnt a little, to start from.
fs::path start_model(const Workplace& place) {
  FineTuningJob job = plain_job(place, "start");
  job.training.steps = 12;
  job.training.learning_rate = 5e-3;
  trained(job);
  return job.output;
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

/// Runs `job` with a stop on the way: it ends with the files of an undisturbed run.
void expect_resumes(const FineTuningJob& whole, const FineTuningJob& broken) {
  trained(whole);
  LossRecorder stopped;
  stopped.stop_before = 5;  // the last checkpoint is after step 4
  EXPECT_THROW(fine_tune(broken, stopped.hooks()), Stop);
  EXPECT_EQ(trained(broken).losses.size(), 2u);
  EXPECT_EQ(host::sha256_of_file(whole.output / "model.safetensors"),
            host::sha256_of_file(broken.output / "model.safetensors"));
}

std::map<std::string, Tensor> weights_in(const fs::path& folder) {
  std::map<std::string, Tensor> all;
  const CallModule module = load_call_module(folder);
  for (const auto& [name, weight] : module.decoder->weights()) all[name] = weight.detach();
  return all;
}

}  // namespace

TEST(Engine, DftWeighsEveryTokenByItsLikelihood) {
  const Workplace place;
  FineTuningJob job = plain_job(place, "dft");
  job.start = start_model(place);
  job.loss = "dft";
  job.training.steps = 1;
  job.training.batch_size = 20;
  job.training.gradient_clip = 0;
  job.training.warmup_fraction = 0;
  LossRecorder recorder = trained(job);

  const CallModule module = load_call_module(*job.start);
  const LabelledRows rows = read_labelled_rows(job.dataset / "train.jsonl");
  Tensor sum = torch::zeros({}, torch::kFloat64);
  double tokens = 0, value = 0;
  for (const task::Example& example : rows.examples) {
    const Sequence sequence = to_sequence(example, module.contract, module.tokenizer);
    std::vector<std::int64_t> ids(sequence.prompt.begin(), sequence.prompt.end());
    ids.insert(ids.end(), sequence.response.begin(), sequence.response.end());
    const Tensor logits = module.decoder->logits(module.decoder->hidden(torch::tensor(ids).unsqueeze(0))[0]);
    const Tensor log_probs = torch::log_softmax(logits.to(torch::kFloat64), -1);
    for (std::size_t t = sequence.prompt.size(); t < ids.size(); ++t) {
      const Tensor log_prob = log_probs[static_cast<std::int64_t>(t) - 1][ids[t]];
      const double weight = std::exp(log_prob.item<double>());
      sum = sum - weight * log_prob;
      value -= weight * log_prob.item<double>();
      ++tokens;
    }
  }
  const auto gradients = torch::autograd::grad({sum / tokens}, module.decoder->parameters());
  double square = 0;
  for (const Tensor& gradient : gradients) square += gradient.square().sum().item<double>();
  EXPECT_NEAR(recorder.losses.at(0), value / tokens, 1e-6);
  EXPECT_NEAR(recorder.metrics["gradient_norm"][0], std::sqrt(square), 1e-5);
}

TEST(Engine, PackedBatchesTrainAsPaddedOnes) {
  const Workplace place;
  std::vector<std::vector<double>> losses;
  for (const bool packing : {false, true}) {
    FineTuningJob job = plain_job(place, packing ? "packed" : "padded");
    job.training.packing = packing;
    job.training.micro_batch_size = 3;
    job.threads = 2;
    losses.push_back(trained(job).losses);
  }
  expect_near(losses[0], losses[1], 2e-4);  // f32 sums in another order, over six steps
  EXPECT_NEAR(losses[0][0], losses[1][0], 1e-6);
}

TEST(Engine, AccumulatedPartsAreOneBigBatch) {
  const Workplace place;
  std::vector<LossRecorder> runs;
  for (const std::int64_t micro : {0, 1, 3}) {
    FineTuningJob job = plain_job(place, "micro" + std::to_string(micro));
    job.training.micro_batch_size = micro;
    job.training.batch_size = 20;
    job.prompt_loss_weight = 0.3;
    job.training.steps = 1;
    runs.push_back(trained(job));
  }
  for (const LossRecorder& run : runs) {
    EXPECT_NEAR(run.losses.at(0), runs[0].losses.at(0), 1e-6);
    EXPECT_NEAR(run.metrics.at("gradient_norm").at(0), runs[0].metrics.at("gradient_norm").at(0), 1e-5);
    EXPECT_GT(run.metrics.at("tokens_per_second").at(0), 0);
  }
}

TEST(Engine, Bfloat16ProductsGiveNearlyTheLossOfF32AndLearn) {
  const Workplace place;
  std::vector<std::vector<double>> losses;
  for (const char* precision : {"f32", "bf16"}) {
    FineTuningJob job = plain_job(place, precision);
    job.training.precision = precision;
    job.training.steps = 30;
    job.training.learning_rate = 5e-3;
    losses.push_back(trained(job).losses);
  }
  EXPECT_NE(losses[0][0], losses[1][0]) << "nothing was rounded";
  EXPECT_NEAR(losses[0][0], losses[1][0], 2e-2);
  EXPECT_LT(losses[1].back(), .6 * losses[1].front());
  EXPECT_NEAR(losses[0].back(), losses[1].back(), .1 * losses[0].back() + .05);
}

/// SmolLM2 is published so. Padding is left out by length: what is no label by its id would take the end with it, and
/// the model would never stop (TRL issue 1623).
TEST(Engine, AModelWhosePadIsItsEndLearnsToStop) {
  const Workplace place;
  const fs::path start = start_model(place);
  nlohmann::json config = host::read_json(start / "config.json");
  config["pad_token_id"] = config.at("eos_token_id");
  host::write_json(start / "config.json", config);
  FineTuningJob job = plain_job(place, "padded");
  job.start = start;
  job.training.steps = 40;
  job.training.learning_rate = 1e-2;
  trained(job);
  CallModule module = load_call_module(job.output);
  const text::TokenId end = module.contract.end_token(module.tokenizer);
  EXPECT_EQ(module.decoder->config().pad_token, end);
  std::vector<std::vector<text::TokenId>> prompts;
  for (const task::Example& example : read_labelled_rows(job.dataset / "train.jsonl").examples)
    prompts.push_back(module.contract.prompt(module.tokenizer, example));
  for (const auto& answer : ref_sample(*module.decoder, prompts, {.max_new_tokens = 24, .end_token = end}))
    EXPECT_EQ(answer.back(), end) << "cut after " << answer.size() << " tokens";
}

TEST(Engine, RecomputedLayersTrainToTheSameBytes) {
  const Workplace place;
  std::vector<std::string> hashes;
  for (const bool recompute : {false, true}) {
    FineTuningJob job = place.job(recompute ? "recomputed" : "kept");
    job.training.recompute = recompute;
    job.threads = 2;
    trained(job);
    hashes.push_back(host::sha256_of_file(job.output / "model.safetensors"));
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST(Engine, LowRankTrainingChangesItsTargetsAlone) {
  const Workplace place;
  const fs::path start = start_model(place);
  FineTuningJob job = plain_job(place, "lora");
  job.start = start;
  job.low_rank.rank = 4;
  job.low_rank.targets = {"q_proj", "v_proj"};
  job.training.learning_rate = 5e-2;
  job.training.steps = 30;
  const LossRecorder recorder = trained(job);
  EXPECT_LT(recorder.losses.back(), 0.95 * recorder.losses.front());
  const auto before = weights_in(start), after = weights_in(job.output);
  for (const auto& [name, weight] : before) {
    const bool target = name.find("q_proj") != std::string::npos || name.find("v_proj") != std::string::npos;
    EXPECT_EQ(torch::equal(weight, after.at(name)), !target) << name;
    if (!target) continue;
    const Tensor values = torch::linalg_svdvals(after.at(name) - weight);
    EXPECT_LE((values > 1e-4 * values.max()).sum().item<std::int64_t>(), 4) << name;
  }
}

TEST(Engine, EveryOptionGoesOnFromACheckpoint) {
  const Workplace place;
  const fs::path start = start_model(place);
  struct Case {
    const char *name, *optimizer, *schedule;
    std::int64_t rank;
  };
  for (const Case& one : {Case{"muon", "muon", "wsd", 0}, Case{"adafactor", "adafactor", "constant", 0},
                          Case{"lora", "adamw", "cosine", 4}}) {
    const auto job = [&](const std::string& name) {
      FineTuningJob made = place.job(name + one.name);  // with dropout and an average
      made.start = start;
      made.training.optimizer = one.optimizer;
      made.training.schedule = one.schedule;
      made.low_rank.rank = one.rank;
      return made;
    };
    SCOPED_TRACE(one.name);
    expect_resumes(job("whole"), job("broken"));
  }
}

TEST(Engine, EveryOptimizerLearns) {
  const Workplace place;
  for (const auto& [name, rate] : {std::pair{"muon", 1e-2}, std::pair{"adafactor", 5e-2}}) {
    FineTuningJob job = plain_job(place, name);
    job.training.optimizer = name;
    job.training.learning_rate = rate;
    job.training.steps = 80;
    const LossRecorder recorder = trained(job);
    EXPECT_GT(recorder.losses.front(), 3.0) << name;
    EXPECT_LT(recorder.losses.back(), 0.5) << name;
  }
}

TEST(Engine, ADivergenceNamesTheTensorAndKeepsTheBatch) {
  const Workplace place;
  FineTuningJob job = plain_job(place, "diverges");
  job.training.learning_rate = 1e30;
  job.training.batch_size = 20;
  job.training.warmup_fraction = 0;
  LossRecorder recorder;
  try {
    fine_tune(job, recorder.hooks());
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("training diverged at step 1"), std::string::npos) << text;
    EXPECT_NE(text.find("decoder/model."), std::string::npos) << text;
    EXPECT_NE(text.find("diverged.json"), std::string::npos) << text;
  }
  const nlohmann::json kept = nlohmann::json::parse(host::read_file(job.work / "diverged.json"));
  EXPECT_EQ(kept["step"], 1);
  ASSERT_FALSE(kept["not_finite"].empty());
  EXPECT_GT(kept["not_finite"][0]["elements"], 0);
  ASSERT_EQ(kept["batch"].size(), 20u);
  EXPECT_NE(kept["batch"][0]["prompt"].get<std::string>().find("dim the"), std::string::npos);
}

TEST(Engine, RefusesOptionsByName) {
  const Workplace place;
  LossRecorder recorder;
  const auto refused = [&](const std::string& what, const std::function<void(FineTuningJob&)>& change) {
    FineTuningJob job = plain_job(place, "refused");
    change(job);
    try {
      fine_tune(job, recorder.hooks());
      FAIL() << "expected a refusal of " << what;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  refused("loss", [](FineTuningJob& job) { job.loss = "mse"; });
  refused("optimizer", [](FineTuningJob& job) { job.training.optimizer = "sgd"; });
  refused("schedule", [](FineTuningJob& job) { job.training.schedule = "linear"; });
  refused("low_rank", [](FineTuningJob& job) { job.low_rank.rank = 2; });  // without a model to start from
}

TEST(Engine, WarnsOfALossThreeOrdersFromTheCrossEntropy) {
  EXPECT_EQ(scale_warning(0.5, 2.0), "");
  EXPECT_EQ(scale_warning(1500, 2.0), "");
  EXPECT_EQ(scale_warning(0, 2.0), "");  // a student that is its teacher
  EXPECT_EQ(scale_warning(1, 0), "");    // no labels
  for (const double loss : {2500.0, -2500.0, 1e-4}) {
    const std::string text = scale_warning(loss, 2.0);
    EXPECT_NE(text.find("three orders"), std::string::npos) << loss;
    EXPECT_NE(text.find("temperature"), std::string::npos) << loss;
  }
}

TEST(LearningRate, WsdRisesStaysAndFallsToTheLastStep) {
  const LearningRateSchedule schedule{.peak = 2.0,
                                      .total_steps = 101,
                                      .warmup_fraction = 0.1,
                                      .final_fraction = 0.1,
                                      .shape = "wsd",
                                      .decay_fraction = 0.4};  // 40.4 steps, the last at step 100
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.at(10), 2.0);
  EXPECT_DOUBLE_EQ(schedule.at(59), 2.0);
  EXPECT_NEAR(schedule.at(80), 2.0 * (1 - 0.9 * (80 - 59.6) / 40.4), 1e-12);
  EXPECT_NEAR(schedule.at(100), 0.2, 1e-12);
  EXPECT_DOUBLE_EQ((LearningRateSchedule{.peak = 3, .total_steps = 1, .shape = "wsd"}).at(0), 3.0);
}

TEST(LearningRate, ConstantStaysAtThePeak) {
  const LearningRateSchedule schedule{.peak = 2.0, .total_steps = 10, .warmup_fraction = 0.2, .shape = "constant"};
  EXPECT_DOUBLE_EQ(schedule.at(0), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(9), 2.0);
}

}  // namespace retort::train
