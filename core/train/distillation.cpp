#include "train/distillation.h"

#include <mutex>
#include <numeric>
#include <stdexcept>

#include "train/batch_rows.h"
#include "train/data_parallel.h"
#include "train/epochs.h"
#include "train/model_weights.h"
#include "train/plugin_loss.h"
#include "train/sampling.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

using torch::Tensor;

retort_distill_requirements requirements_of(const DistillPlugin& plugin) {
  retort_distill_requirements wanted{};
  wanted.struct_size = sizeof(wanted);
  plugin.throw_if_error(plugin.functions->requirements(plugin.instance, &wanted));
  return wanted;
}

std::unique_ptr<DecoderModule> student_decoder(const DistillationJob& job, const CallModule& teacher) {
  if (job.student) {
    CallModule student = load_call_module(*job.student);
    if (student.tokenizer.to_json() != teacher.tokenizer.to_json())
      throw std::invalid_argument(
          "student '" + job.student->string() + "' and teacher '" + job.teacher.string() +
          "' have different tokenizers; this stage compares distributions over the same tokens");
    return std::move(student.decoder);
  }
  model::ModelConfig config = teacher.decoder->config();
  config.hidden_size = job.model.hidden_size;
  config.intermediate_size = job.model.intermediate_size;
  config.layers = job.model.layers;
  config.heads = job.model.heads;
  config.kv_heads = job.model.kv_heads;
  config.head_dim = job.model.head_dim > 0 ? job.model.head_dim : job.model.hidden_size / job.model.heads;
  return std::make_unique<DecoderModule>(config, job.seed);
}

/// What one distillation needs in every step.
struct Distiller {
  const DistillationJob& job;
  const retort_distill_requirements wanted;
  CallModule& teacher;
  DecoderModule& student;
  const std::vector<Sequence>& sequences;
  DataParallel& parallel;
  MetricMap metrics;  ///< of the last step, a row's mean
  std::mutex plugin_mutex;

  Tensor rows_of(DecoderModule& decoder, const BatchRows& rows, const Dropout& dropout = {}) const {
    return decoder.hidden(rows.ids, dropout).reshape({-1, decoder.config().hidden_size}).index_select(0, rows.index);
  }

  DistillSignals teacher_signals(const BatchRows& rows) const {
    torch::NoGradGuard no_grad;
    const MixedPrecision mixed(job.training.precision);
    DistillSignals signals;
    const Tensor hidden = rows_of(*teacher.decoder, rows);
    if ((wanted.signals & RETORT_SIGNAL_HIDDEN_STATES) != 0) signals.teacher_hidden = hidden.to(torch::kFloat32);
    if ((wanted.signals & (RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_TEACHER_TOP_K)) == 0) return signals;
    const Tensor logits = teacher.decoder->logits(hidden);
    if ((wanted.signals & RETORT_SIGNAL_TEACHER_LOGITS) != 0) signals.teacher_logits = logits;
    if ((wanted.signals & RETORT_SIGNAL_TEACHER_TOP_K) != 0)
      std::tie(signals.teacher_top_log_probs, signals.teacher_top_ids) =
          torch::log_softmax(logits, -1).topk(std::min(wanted.top_k, logits.size(1)));
    return signals;
  }

  /// The loss of a part of a batch, and what the plugin reports about it.
  Tensor loss_of(const std::vector<Sequence>& data, std::span<const std::size_t> part, double total_rows,
                 const Dropout& dropout, MetricMap& report) {
    const BatchRows rows = batch_rows(data, part, job.prompt_loss_weight);
    if (rows.index.size(0) == 0) return {};
    DistillSignals signals = teacher_signals(rows);
    signals.mask = rows.weights;
    if ((wanted.signals & RETORT_SIGNAL_LABELS) != 0) signals.labels = rows.labels;
    Tensor logits;
    {
      const MixedPrecision mixed(job.training.precision);
      const Tensor hidden = rows_of(student, rows, dropout);
      if ((wanted.signals & RETORT_SIGNAL_HIDDEN_STATES) != 0) signals.student_hidden = hidden.to(torch::kFloat32);
      logits = student.logits(hidden);
    }
    const std::lock_guard lock(plugin_mutex);  // an instance is used by one thread at a time
    return distill_loss(job.strategy, logits, signals, report) / total_rows;
  }

  /// The batch's prompts with the student's own answers (GKD, arXiv 2306.13649, algorithm 1).
  std::vector<Sequence> on_policy(const std::vector<std::size_t>& batch, std::int64_t step) const {
    std::vector<std::vector<text::TokenId>> prompts;
    for (const std::size_t i : batch) prompts.push_back(sequences[i].prompt);
    const auto responses = sample(student, prompts,
                                  {.temperature = job.sampling_temperature,
                                   .end_token = teacher.contract.end_token(teacher.tokenizer),
                                   .seed = job.seed ^ static_cast<std::uint64_t>(step)});
    std::vector<Sequence> data;
    for (std::size_t i = 0; i < batch.size(); ++i)
      data.push_back({prompts[i], responses[i], sequences[batch[i]].example});
    return data;
  }

  double step(const std::vector<std::size_t>& batch, std::int64_t step_index) {
    const bool student_answers =
        static_cast<double>(SeededSequence(job.seed, static_cast<std::uint64_t>(step_index)).below(1 << 20)) <
        wanted.on_policy_fraction * (1 << 20);
    std::vector<Sequence> sampled;
    std::vector<std::size_t> all(batch.size());
    if (student_answers) {
      sampled = on_policy(batch, step_index);
      std::iota(all.begin(), all.end(), std::size_t{0});
    }
    const std::vector<Sequence>& data = student_answers ? sampled : sequences;
    const std::vector<std::size_t>& chosen = student_answers ? all : batch;
    double total_rows = 0;
    for (const std::size_t i : chosen)
      total_rows += static_cast<double>(data[i].response.size()) +
                    job.prompt_loss_weight * static_cast<double>(data[i].prompt.size() - 1);
    const auto parts = parallel.parts(chosen, job.training.micro_batch_size);
    std::vector<MetricMap> reports(parts.size());
    const double loss = parallel.accumulate(parts.size(), [&](std::size_t part) {
      const Dropout dropout = dropout_of(job.training.dropout, job.seed, step_index, part);
      return loss_of(data, parts[part], total_rows, dropout, reports[part]);
    });
    for (const MetricMap& report : reports)
      for (const auto& [name, sum] : report) metrics[name] += sum / std::max(1.0, total_rows);
    return loss;
  }
};

ModelSize run(const DistillationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  CallModule teacher = load_call_module(job.teacher);
  const std::unique_ptr<DecoderModule> student = student_decoder(job, teacher);
  task::Split split = task::read_split(job.dataset / "train.jsonl");
  std::erase_if(split.examples, [](const task::Example& example) { return !example.calls; });
  if (split.examples.empty())
    throw std::invalid_argument((job.dataset / "train.jsonl").string() + ": expected labelled examples, found none");
  const std::vector<Sequence> sequences =
      to_sequences(split.examples, teacher.contract, teacher.tokenizer, student->config().max_positions);
  const std::vector<task::Example> validation = validation_examples(job.dataset, job.validation_limit);
  hooks.log(std::to_string(sequences.size()) + " labelled utterances, teacher " +
            std::to_string(teacher.decoder->config().parameters()) + ", student " +
            std::to_string(student->config().parameters()) + " parameters");

  EpochBatches batches(sequences, job.training, job.seed);
  const ParameterGroups groups({decoder_group(*student)});
  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  auto parallel = std::make_unique<DataParallel>(groups, job.threads);
  Distiller distiller{job, requirements_of(job.strategy), teacher, *student, sequences, *parallel, {}, {}};
  trainer.run("distilling", [&](std::int64_t step) {
    distiller.metrics.clear();
    const double loss = distiller.step(batches.at(step), step);
    for (const auto& [name, mean] : distiller.metrics) hooks.metric(name, step, mean);
    if (!validation.empty() && batches.ends_epoch(step))
      hooks.metric("validation_exact_match", step,
                   exact_match_share(*student, teacher.tokenizer, teacher.contract, validation));
    return loss;
  });
  parallel.reset();
  trainer.use_averaged_weights();
  if (!validation.empty())
    hooks.metric("validation_exact_match", -1,
                 exact_match_share(*student, teacher.tokenizer, teacher.contract, validation));
  save_call_module(job.output, *student, teacher.tokenizer, teacher.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize distill(const DistillationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
