#include "train/distillation.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "train/corpus.h"
#include "train/distillation_step.h"
#include "train/epochs.h"
#include "train/model_weights.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

struct Models {
  std::vector<CallModule> teachers;
  std::unique_ptr<DecoderModule> student;
  const CallModule& first() const { return teachers.front(); }
};

void expect_same_tokenizer(const CallModule& a, const std::filesystem::path& a_folder, const text::Tokenizer& b,
                           const std::filesystem::path& b_folder) {
  if (a.tokenizer.to_json() == b.to_json()) return;
  throw std::invalid_argument("'" + b_folder.string() + "' and teacher '" + a_folder.string() +
                              "' have different tokenizers; this stage compares distributions over the same tokens");
}

std::unique_ptr<DecoderModule> new_student(const DistillationJob& job, const CallModule& teacher) {
  model::ModelConfig config = teacher.decoder->config();
  NewModel shape = job.model;
  if (shape.max_positions == 0) shape.max_positions = config.max_positions;
  if (shape.rope_theta == 0) shape.rope_theta = config.rope_theta;
  apply_shape(shape, config);
  return std::make_unique<DecoderModule>(config, job.seed);
}

Models load_models(const DistillationJob& job) {
  Models models;
  for (const std::filesystem::path& folder : job.teachers) {
    models.teachers.push_back(load_call_module(folder));
    expect_same_tokenizer(models.first(), job.teachers.front(), models.teachers.back().tokenizer, folder);
  }
  if (models.teachers.empty()) throw std::invalid_argument("expected at least one teacher");
  if (!job.student) {
    models.student = new_student(job, models.first());
    return models;
  }
  CallModule student = load_call_module(*job.student);
  expect_same_tokenizer(models.first(), job.teachers.front(), student.tokenizer, *job.student);
  models.student = std::move(student.decoder);
  return models;
}

/// Weights that sum to 1.
std::vector<double> teacher_weights(const DistillationJob& job) {
  std::vector<double> weights = job.teacher_weights;
  if (weights.empty()) weights.assign(job.teachers.size(), 1.0);
  if (weights.size() != job.teachers.size())
    throw std::invalid_argument("teacher_weights: expected one for each of " + std::to_string(job.teachers.size()) +
                                " teachers, found " + std::to_string(weights.size()));
  for (const double weight : weights)
    if (!(weight > 0))
      throw std::invalid_argument("teacher_weights: expected numbers above 0, found " + std::to_string(weight));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

host::DistillSetup setup_of(const Models& models, std::int64_t total_steps, std::uint64_t seed) {
  const auto shape = [](const DecoderModule& decoder) {
    const model::ModelConfig& config = decoder.config();
    return host::DistillModelShape{config.layers, config.hidden_size, config.vocabulary_size};
  };
  host::DistillSetup setup{shape(*models.student), {}, total_steps, seed};
  for (const CallModule& teacher : models.teachers) setup.teachers.push_back(shape(*teacher.decoder));
  return setup;
}

std::vector<host::DistillCall> calls_of(const std::vector<DistillPlugin>& plugins) {
  std::vector<host::DistillCall> calls;
  for (const DistillPlugin& plugin : plugins) calls.emplace_back(plugin.id, plugin.instance, *plugin.functions);
  return calls;
}

ModelSize run(const DistillationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  Models models = load_models(job);
  const CallModule& task = models.first();
  DecoderModule& student = *models.student;
  const Corpus corpus =
      tokenised(read_labelled_rows(job.dataset / "train.jsonl"), task.contract, task.tokenizer,
                {student.config().max_positions, job.prompt_loss_weight, job.training.max_rejected_share}, hooks);
  const std::vector<Sequence>& sequences = corpus.sequences;
  const std::vector<task::Example> validation =
      validation_examples(job.dataset, job.validation_limit, job.training.max_rejected_share);
  hooks.log(std::to_string(sequences.size()) + " labelled utterances, teacher " +
            std::to_string(task.decoder->config().parameters()) + ", student " +
            std::to_string(student.config().parameters()) + " parameters");

  EpochBatches batches(sequences, job.training, job.seed);
  const host::DistillSetup setup = setup_of(models, batches.total_steps(), job.seed);
  LossInstances losses(calls_of(job.losses), setup);
  ParameterGroups groups({decoder_group(student)});
  DistillationParts parts{.student = student, .sequences = sequences, .losses = losses};
  for (ParameterGroup& group : loss_groups(losses, setup)) {
    parts.loss_parameters.push_back(group.tensors.front().second);
    groups.add(std::move(group));
  }
  const std::vector<double> weights = teacher_weights(job);
  for (std::size_t i = 0; i < weights.size(); ++i)
    parts.teachers.push_back({models.teachers[i].decoder.get(), weights[i]});
  parts.training = job.training;
  parts.total_steps = batches.total_steps();
  parts.seed = job.seed;
  parts.prompt_loss_weight = job.prompt_loss_weight;
  parts.sampling_temperature = job.sampling_temperature;
  parts.end_token = task.contract.end_token(task.tokenizer);

  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  auto parallel = std::make_unique<DataParallel>(groups, std::min(job.threads, losses.count()));
  DistillationStep distillation(std::move(parts), *parallel);
  trainer.run("distilling", [&](std::int64_t step) {
    MetricMap metrics;
    const double loss = distillation.accumulate(batches.at(step), step, metrics);
    for (const auto& [name, mean] : metrics) hooks.metric(name, step, mean);
    if (!validation.empty() && batches.ends_epoch(step))
      hooks.metric("validation_exact_match", step,
                   exact_match_share(student, task.tokenizer, task.contract, validation));
    return loss;
  });
  parallel.reset();
  trainer.use_averaged_weights();
  if (!validation.empty())
    hooks.metric("validation_exact_match", -1, exact_match_share(student, task.tokenizer, task.contract, validation));
  save_call_module(job.output, student, task.tokenizer, task.contract);
  return model_size(job.output);
}

}  // namespace

std::vector<std::string> distillation_findings(const DistillPlugin& loss) {
  try {
    const host::DistillCall call = calls_of({loss}).front();
    expect_offered(call, call.requirements(nullptr));
    return {};
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

ModelSize distill(const DistillationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
