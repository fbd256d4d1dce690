#include "train/distillation.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "train/corpus.h"
#include "train/device.h"
#include "train/distillation_step.h"
#include "train/epochs.h"
#include "train/initialisation.h"
#include "train/model_weights.h"
#include "train/prompt_attention.h"
#include "train/prompt_tags.h"
#include "train/recorded_signals.h"
#include "train/same_work.h"
#include "train/student_form.h"
#include "train/trainer.h"
#include "train/validation.h"
#include "train/vocabulary_bridge.h"

namespace retort::train {
namespace {

struct Models {
  std::vector<std::unique_ptr<DecoderModule>> teachers;
  std::optional<RecordedSignals> recorded;
  CallModule student;               ///< with the tokenizer and the task of the teachers
  std::vector<CallModule> readers;  ///< of the teachers, where these may have tokenizers of their own; no decoders
  std::vector<VocabularyBridge> bridges;  ///< one a teacher, where the loss compares the same tokens
  bool by_text = false;
};

std::unique_ptr<DecoderModule> new_student(const DistillationJob& job, const CallModule& teacher) {
  model::ModelConfig config = teacher.decoder->config();
  NewModel shape = job.model;
  if (shape.max_positions == 0) shape.max_positions = config.max_positions;
  if (shape.rope_theta == 0) shape.rope_theta = config.rope_theta;
  apply_shape(shape, config);
  set_prompt_attention(shape.prompt_attention, teacher.contract, teacher.tokenizer, config);
  return std::make_unique<DecoderModule>(config, job.seed);
}

/// Tokenizers may differ, the text may not.
void expect_same_text(const std::filesystem::path& folder, const CallModule& reader,
                      const std::filesystem::path& student_folder, const CallModule& student) {
  if (reader.contract.with_tag_weight(0).to_json() == student.contract.with_tag_weight(0).to_json()) return;
  throw std::invalid_argument("'" + folder.string() + "' and student '" + student_folder.string() +
                              "' write calls in different forms or know different tools; tokenizers may differ, "
                              "the text may not");
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
  if (job.teacher_answers > 0)
    throw std::invalid_argument("teacher_answers: expected 0 with a loss that compares pieces of text, found " +
                                std::to_string(job.teacher_answers) + ": only a data set's answers are read by both");
  Models models{{}, std::nullopt, load_call_module(*job.student), {}, {}, true};
  for (const std::filesystem::path& folder : job.teachers) {
    CallModule reader = load_call_module(folder);
    expect_same_text(folder, reader, *job.student, models.student);
    models.teachers.push_back(std::move(reader.decoder));
    models.readers.push_back(std::move(reader));
  }
  return models;
}

/// The student, with tokenizer and task of the first teacher unless it brings a tokenizer of its own.
CallModule load_student(const DistillationJob& job, const CallModule& first) {
  std::optional<CallModule> given;
  if (job.student) given = load_call_module(*job.student);
  const std::string json = first.tokenizer.to_json();
  if (given && given->tokenizer.to_json() != json) return std::move(*given);
  return {text::Tokenizer::parse(json, job.teachers.front().string()), first.contract,
          given ? std::move(given->decoder) : new_student(job, first)};
}

/// What a teacher of more tokens cannot do yet.
void expect_asked(const DistillationJob& job) {
  if (job.teacher_answers > 0)
    throw std::invalid_argument(
        "teacher_answers: expected 0 where the student's vocabulary was pruned from the "
        "teacher's, found " +
        std::to_string(job.teacher_answers));
  if (job.signals)
    throw std::invalid_argument(
        "signals: expected the student to have the teacher's tokenizer, whose ids they are; "
        "found a vocabulary that was pruned from it: ask the teacher instead");
}

void load_signals(const DistillationJob& job, Models& models) {
  if (job.teachers.size() > 1)
    throw std::invalid_argument("signals: expected one teacher, who gave them; found several");
  if (job.prompt_loss_weight > 0)
    throw std::invalid_argument("prompt_loss_weight: expected 0 with signals, which are of responses alone");
  models.recorded.emplace(*job.signals);
  models.recorded->expect_tokenizer(models.student.tokenizer);
}

/// Teachers whose tokens are the student's, or are more than these.
Models load_models(const DistillationJob& job) {
  std::vector<CallModule> teachers;
  for (const std::filesystem::path& folder : job.teachers) teachers.push_back(load_call_module(folder));
  Models models{{}, std::nullopt, load_student(job, teachers.front()), {}, {}, false};
  const std::string name = job.student ? "'" + job.student->string() + "'" : "the new student";
  for (std::size_t i = 0; i < teachers.size(); ++i) {
    const std::int64_t rows = teachers[i].decoder->config().vocabulary_size;
    models.bridges.push_back(
        bridge_vocabulary({models.student.tokenizer, models.student.decoder->config().vocabulary_size, name},
                          {teachers[i].tokenizer, rows, "'" + job.teachers[i].string() + "'"}));
    models.teachers.push_back(std::move(teachers[i].decoder));
    if (models.bridges.back().kind == VocabularyBridge::Kind::subset) {
      expect_same_text(job.teachers[i], teachers[i], job.student ? *job.student : job.teachers.front(), models.student);
      expect_asked(job);
    }
    models.readers.push_back(std::move(teachers[i]));
  }
  if (job.signals) load_signals(job, models);
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

/// How the teachers read the corpus's rows; none where their tokens are the student's, which is said.
std::vector<AlignedRows> aligned_rows(const DistillationJob& job, const Models& models, Corpus& corpus,
                                      const RunHooks& hooks) {
  std::vector<TeacherReading> readings;
  for (std::size_t i = 0; i < models.readers.size(); ++i)
    readings.push_back(
        {models.readers[i].tokenizer, models.readers[i].contract, models.teachers[i]->config().max_positions});
  if (models.by_text) return align(corpus, models.student.tokenizer, readings, job.training.max_rejected_share, hooks);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    if (models.bridges[i].kind != VocabularyBridge::Kind::same) hooks.log(models.bridges[i].text());
    keep_bridged(corpus, models.bridges[i], readings[i], job.training.max_rejected_share, hooks);
  }
  return {};
}

/// Tokens that the student and every teacher of the same tokens hold.
std::int64_t longest_row(const Models& models) {
  std::int64_t longest = models.student.decoder->config().max_positions;
  for (std::size_t i = 0; !models.by_text && i < models.teachers.size(); ++i)
    longest = std::min(longest, models.teachers[i]->config().max_positions);
  return longest;
}

/// What the signals do not hold is refused, or asked of the teacher and counted.
void check_signals(const DistillationJob& job, const Models& models, const LossInstances& losses,
                   const std::vector<Sequence>& sequences, const RunHooks& hooks) {
  expect_recorded(losses.first(), losses.wanted(), models.recorded->top_k(), job.ask_for_unrecorded);
  const std::int64_t missing = models.recorded->expect_holds(
      sequences, models.student.decoder->config().vocabulary_size, job.ask_for_unrecorded);
  hooks.metric("unrecorded_rows", -1, static_cast<double>(missing));
  if (missing > 0)
    hooks.log("signals hold " + std::to_string(static_cast<std::int64_t>(sequences.size()) - missing) + " of " +
              std::to_string(sequences.size()) + " rows; the teacher is asked about batches with others");
}

/// Of rows that the signals lack, how many are not learnt.
void leave_out_unrecorded(Corpus& corpus, const RecordedSignals& signals, const RunHooks& hooks) {
  Corpus held;
  for (std::size_t i = 0; i < corpus.sequences.size(); ++i) {
    if (!signals.holds(corpus.sequences[i])) continue;
    corpus.sequences[i].example = held.examples.size();
    held.sequences.push_back(std::move(corpus.sequences[i]));
    held.examples.push_back(std::move(corpus.examples[i]));
  }
  const std::size_t missing = corpus.sequences.size() - held.sequences.size();
  if (held.sequences.empty())
    throw std::invalid_argument("signals: they hold none of the " + std::to_string(missing) +
                                " rows: they were made from another data set, tokenizer or prompt form");
  hooks.metric("left_out_rows", -1, static_cast<double>(missing));
  hooks.log("signals hold " + std::to_string(held.sequences.size()) + " of " + std::to_string(corpus.sequences.size()) +
            " rows; the others are not learnt");
  corpus = std::move(held);
}

/// Where nobody is asked, tokenizer, task and shape are the student's.
DistillationJob with_stand_in(DistillationJob job) {
  if (!job.teachers.empty() || !job.signals) return job;
  if (!job.student)
    throw std::invalid_argument("signals without a teacher: expected a student, whose tokenizer and task they are of");
  if (job.ask_for_unrecorded || job.teacher_answers > 0 || job.initialisation != "random")
    throw std::invalid_argument(
        "signals without a teacher: expected unrecorded \"refuse\" or \"leave_out\", teacher_answers 0 and "
        "initialisation \"random\", as there is nobody to ask or to begin with");
  job.teachers.push_back(*job.student);
  return job;
}

torch::Tensor bridged_ids(const Models& models, std::size_t teacher) {
  if (models.by_text || models.bridges[teacher].kind != VocabularyBridge::Kind::subset) return {};
  return torch::tensor(models.bridges[teacher].teacher_ids, torch::kInt64).to(models.student.decoder->device());
}

std::vector<std::optional<std::filesystem::path>> models_of(const DistillationJob& job) {
  std::vector<std::optional<std::filesystem::path>> models{job.student};
  models.insert(models.end(), job.teachers.begin(), job.teachers.end());
  return models;
}

ModelSize run(const DistillationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  const torch::Device device = device_of(job.training.device);
  expect_same_work(Processes::of_environment(), "distillation", job, models_of(job));
  if (job.losses.empty()) throw std::invalid_argument("expected at least one instance of the loss");
  const host::DistillCall asked = calls_of({job.losses.front()}).front();
  const host::DistillRequirements early = asked.requirements(nullptr);
  if (job.teachers.empty()) throw std::invalid_argument("expected at least one teacher, found none");
  const bool by_text = early.wants(RETORT_SIGNAL_TEACHER_SPANS);
  if (job.signals && by_text) expect_recorded(asked, early, early.top_k, job.ask_for_unrecorded);
  Models models = by_text ? load_readers(job) : load_models(job);
  initialise(job, models, hooks);
  // A new student says under its prompts only what it is taught to say.
  if (!job.student && job.tag_weight == 0) models.student.contract = models.student.contract.with_tag_weight(0);
  const CallModule& task = models.student;
  DecoderModule& student = *task.decoder;
  student.to(device);
  for (const auto& teacher : models.teachers) teacher->to(device);
  student.recomputes_layers = job.training.recompute;
  expect_unlearnt_prompts(job.prompt_loss_weight, student.config());
  Corpus corpus = tokenised(read_labelled_rows(job.dataset / "train.jsonl"), task.contract, task.tokenizer,
                            {longest_row(models), job.prompt_loss_weight, job.training.max_rejected_share}, hooks);
  const std::vector<AlignedRows> aligned = aligned_rows(job, models, corpus, hooks);
  if (models.recorded && job.leave_out_unrecorded) leave_out_unrecorded(corpus, *models.recorded, hooks);
  if (job.tag_weight > 0 && (job.signals || by_text))
    throw std::invalid_argument(
        "tag_weight: expected 0 where answers alone are compared (signals, pieces of text), found " +
        std::to_string(job.tag_weight));
  add_prompt_tags(corpus.sequences, task.contract, task.tokenizer, job.tag_weight);
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
  if (models.recorded) check_signals(job, models, losses, sequences, hooks);
  ParameterGroups groups({decoder_group(student)});
  if (job.form != nullptr)
    for (ParameterGroup& group : job.form->prepare(student)) groups.add(std::move(group));
  DistillationParts parts{.student = student, .sequences = sequences, .losses = losses};
  for (ParameterGroup& group : loss_groups(losses, setup, device)) {
    parts.loss_parameters.push_back(group.tensors.front().second);
    groups.add(std::move(group));
  }
  const std::vector<double> weights = teacher_weights(job);
  for (std::size_t i = 0; i < weights.size(); ++i)
    parts.teachers.push_back({models.teachers[i].get(), models.recorded ? &*models.recorded : nullptr, weights[i],
                              aligned.empty() ? nullptr : &aligned[i], bridged_ids(models, i)});
  parts.training = job.training;
  parts.total_steps = batches.total_steps();
  parts.seed = job.seed;
  parts.prompt_loss_weight = job.prompt_loss_weight;
  parts.sampling_temperature = job.sampling_temperature;
  parts.teacher_answers = job.teacher_answers;
  parts.end_token = task.contract.end_token(task.tokenizer);
  parts.threads = job.threads;

  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  validate_with(trainer, validator, batches, job.validation);
  trainer.describe_batches_with(
      [&](std::int64_t step) { return described(sequences, batches.at(step), task.tokenizer); });
  auto parallel = std::make_unique<DataParallel>(groups, std::min(job.threads, losses.count()));
  DistillationStep distillation(std::move(parts), *parallel);
  const Processes& processes = Processes::of_environment();
  trainer.share_with(processes);
  trainer.run("distilling", [&](std::int64_t step) {
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
  if (job.form != nullptr)
    job.form->save(job.output, task);
  else
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
  return with_plain_errors([&] { return run(with_stand_in(job), hooks); });
}

}  // namespace retort::train
