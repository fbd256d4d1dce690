#include "train/distillation.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "train/corpus.h"
#include "train/distillation_step.h"
#include "train/epochs.h"
#include "train/initialisation.h"
#include "train/model_weights.h"
#include "train/recorded_signals.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

struct Models {
  std::vector<std::unique_ptr<DecoderModule>> teachers;
  std::optional<RecordedSignals> recorded;
  CallModule student;               ///< with the tokenizer and the task of the teachers
  std::vector<CallModule> readers;  ///< of the teachers, where these may have tokenizers of their own; no decoders
};

CallModule load_sharing_tokenizer(const std::filesystem::path& folder, const text::Tokenizer& tokenizer,
                                  const std::filesystem::path& first) {
  CallModule module = load_call_module(folder);
  if (module.tokenizer.to_json() == tokenizer.to_json()) return module;
  throw std::invalid_argument("'" + folder.string() + "' and teacher '" + first.string() +
                              "' have different tokenizers; this stage compares distributions over the same tokens");
}

std::unique_ptr<DecoderModule> new_student(const DistillationJob& job, const model::ModelConfig& teacher) {
  model::ModelConfig config = teacher;
  NewModel shape = job.model;
  if (shape.max_positions == 0) shape.max_positions = config.max_positions;
  if (shape.rope_theta == 0) shape.rope_theta = config.rope_theta;
  apply_shape(shape, config);
  return std::make_unique<DecoderModule>(config, job.seed);
}

/// What job.initialisation says, of a student that is there.
void initialise(const DistillationJob& job, Models& models, const RunHooks& hooks) {
  if (job.initialisation == "random") return;
  DecoderModule& teacher = *models.teachers.front();
  if (job.initialisation == "embeddings") {
    const text::Tokenizer& own = models.student.tokenizer;
    const text::Tokenizer& from = models.readers.empty() ? own : models.readers.front().tokenizer;
    const std::int64_t missing = take_embeddings(*models.student.decoder, own, teacher, from);
    hooks.log("embeddings begin with the teacher's, but for " + std::to_string(missing) + " rows");
    return;
  }
  if (job.initialisation != "layers")
    throw std::invalid_argument("initialisation: expected \"random\", \"embeddings\" or \"layers\", found \"" +
                                job.initialisation + "\"");
  if (job.student)
    throw std::invalid_argument(
        "initialisation: expected \"random\" or \"embeddings\" beside the input \"student\", "
        "found \"layers\"");
  const std::vector<std::int64_t> chosen = evenly_chosen(teacher.config().layers, job.model.layers);
  std::string listed;
  for (const std::int64_t layer : chosen) listed += " " + std::to_string(layer);
  hooks.log("the student is the teacher's layers" + listed + "; of \"model\" only layers counts");
  models.student.decoder = with_layers(teacher, chosen);
}

/// Teachers with tokenizers of their own, and a student with its own.
Models load_readers(const DistillationJob& job) {
  if (!job.student)
    throw std::invalid_argument(
        "the loss compares pieces of text (TEACHER_SPANS), so that teachers may have other "
        "tokenizers: give the stage the input \"student\", which brings the student's");
  if (job.prompt_loss_weight > 0)
    throw std::invalid_argument(
        "prompt_loss_weight: expected 0 with a loss that compares pieces of text, which are of "
        "responses alone");
  Models models{{}, std::nullopt, load_call_module(*job.student), {}};
  for (const std::filesystem::path& folder : job.teachers) {
    CallModule reader = load_call_module(folder);
    if (reader.contract.to_json() != models.student.contract.to_json())
      throw std::invalid_argument("'" + folder.string() + "' and student '" + job.student->string() +
                                  "' write calls in different forms or know different tools; tokenizers may differ, "
                                  "the text may not");
    models.teachers.push_back(std::move(reader.decoder));
    models.readers.push_back(std::move(reader));
  }
  return models;
}

Models load_models(const DistillationJob& job, bool by_text) {
  if (job.teachers.empty()) throw std::invalid_argument("expected at least one teacher, found none");
  if (by_text) return load_readers(job);
  const std::filesystem::path& first = job.teachers.front();
  Models models{{}, std::nullopt, load_call_module(first), {}};
  models.teachers.push_back(std::move(models.student.decoder));
  const text::Tokenizer& tokenizer = models.student.tokenizer;
  for (std::size_t i = 1; i < job.teachers.size(); ++i)
    models.teachers.push_back(load_sharing_tokenizer(job.teachers[i], tokenizer, first).decoder);
  models.student.decoder = job.student ? load_sharing_tokenizer(*job.student, tokenizer, first).decoder
                                       : new_student(job, models.teachers.front()->config());
  if (!job.signals) return models;
  if (job.teachers.size() > 1)
    throw std::invalid_argument("signals: expected one teacher, who gave them; found several");
  if (job.prompt_loss_weight > 0)
    throw std::invalid_argument("prompt_loss_weight: expected 0 with signals, which are of responses alone");
  models.recorded.emplace(*job.signals);
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
  host::DistillSetup setup{shape(*models.student.decoder), {}, total_steps, seed};
  for (const auto& teacher : models.teachers) setup.teachers.push_back(shape(*teacher));
  return setup;
}

std::vector<host::DistillCall> calls_of(const std::vector<DistillPlugin>& plugins) {
  std::vector<host::DistillCall> calls;
  for (const DistillPlugin& plugin : plugins) calls.emplace_back(plugin.id, plugin.instance, *plugin.functions);
  return calls;
}

/// How the teachers read the corpus's rows; none where they share the student's tokenizer.
std::vector<AlignedRows> aligned_rows(const DistillationJob& job, const Models& models, Corpus& corpus,
                                      const RunHooks& hooks) {
  if (models.readers.empty()) return {};
  std::vector<TeacherReading> readings;
  for (std::size_t i = 0; i < models.readers.size(); ++i)
    readings.push_back(
        {models.readers[i].tokenizer, models.readers[i].contract, models.teachers[i]->config().max_positions});
  return align(corpus, models.student.tokenizer, readings, job.training.max_rejected_share, hooks);
}

ModelSize run(const DistillationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  if (job.losses.empty()) throw std::invalid_argument("expected at least one instance of the loss");
  const host::DistillCall asked = calls_of({job.losses.front()}).front();
  const host::DistillRequirements early = asked.requirements(nullptr);
  if (job.signals && early.wants(RETORT_SIGNAL_TEACHER_SPANS)) expect_recorded(asked, early, early.top_k);
  Models models = load_models(job, early.wants(RETORT_SIGNAL_TEACHER_SPANS));
  initialise(job, models, hooks);
  const CallModule& task = models.student;
  DecoderModule& student = *task.decoder;
  student.recomputes_layers = job.training.recompute;
  Corpus corpus =
      tokenised(read_labelled_rows(job.dataset / "train.jsonl"), task.contract, task.tokenizer,
                {student.config().max_positions, job.prompt_loss_weight, job.training.max_rejected_share}, hooks);
  const std::vector<AlignedRows> aligned = aligned_rows(job, models, corpus, hooks);
  const std::vector<Sequence>& sequences = corpus.sequences;
  Validator validator(
      student, task.tokenizer, task.contract,
      validation_examples(job.dataset, job.validation_limit, job.training.max_rejected_share, job.validation.kinds),
      job.threads, hooks.throw_if_stopped);
  std::string teachers;
  for (const auto& teacher : models.teachers) teachers += " " + std::to_string(teacher->config().parameters());
  hooks.log(std::to_string(sequences.size()) + " labelled utterances, teacher" + teachers + ", student " +
            std::to_string(student.config().parameters()) + " parameters");

  EpochBatches batches(sequences, job.training, job.seed);
  const host::DistillSetup setup = setup_of(models, batches.total_steps(), job.seed);
  LossInstances losses(calls_of(job.losses), setup);
  if (models.recorded) {
    expect_recorded(losses.first(), losses.wanted(), models.recorded->top_k());
    models.recorded->expect_holds(sequences, student.config().vocabulary_size);
  }
  ParameterGroups groups({decoder_group(student)});
  DistillationParts parts{.student = student, .sequences = sequences, .losses = losses};
  for (ParameterGroup& group : loss_groups(losses, setup)) {
    parts.loss_parameters.push_back(group.tensors.front().second);
    groups.add(std::move(group));
  }
  const std::vector<double> weights = teacher_weights(job);
  for (std::size_t i = 0; i < weights.size(); ++i)
    parts.teachers.push_back({models.teachers[i].get(), models.recorded ? &*models.recorded : nullptr, weights[i],
                              aligned.empty() ? nullptr : &aligned[i]});
  parts.training = job.training;
  parts.total_steps = batches.total_steps();
  parts.seed = job.seed;
  parts.prompt_loss_weight = job.prompt_loss_weight;
  parts.sampling_temperature = job.sampling_temperature;
  parts.end_token = task.contract.end_token(task.tokenizer);
  parts.threads = job.threads;

  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  validate_with(trainer, validator, batches, job.validation);
  trainer.describe_batches_with(
      [&](std::int64_t step) { return described(sequences, batches.at(step), task.tokenizer); });
  auto parallel = std::make_unique<DataParallel>(groups, std::min(job.threads, losses.count()));
  DistillationStep distillation(std::move(parts), *parallel);
  const Processes& processes = Processes::of_environment();
  std::int64_t now = 0;
  if (!processes.alone())
    trainer.reduce_with([&](double loss) { return processes.sum_gradients(groups.tensors(), loss, now); });
  trainer.run("distilling", [&](std::int64_t step) {
    now = step;
    for (const std::size_t i : batches.at(step)) trainer.saw_tokens(static_cast<std::int64_t>(sequences[i].length()));
    MetricMap metrics;
    const double loss = distillation.accumulate(batches.at(step), step, metrics);
    for (const auto& [name, mean] : metrics) hooks.metric(name, step, mean);
    if (step == 0 && processes.alone())
      if (const std::string warning = scale_warning(loss, metrics["cross_entropy"]); !warning.empty())
        hooks.log(warning);
    return loss;
  });
  parallel.reset();
  if (const std::optional<double> score = trainer.use_kept_weights())
    hooks.metric("validation_exact_match", -1, *score);
  save_call_module(job.output, student, task.tokenizer, task.contract);
  return model_size(job.output);
}

}  // namespace

std::vector<std::string> distillation_findings(const DistillPlugin& loss) {
  try {
    calls_of({loss}).front().requirements(nullptr);
    return {};
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

ModelSize distill(const DistillationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
