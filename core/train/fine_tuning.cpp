#include "train/fine_tuning.h"

#include <algorithm>
#include <stdexcept>

#include "task/template_form.h"
#include "text/bpe_trainer.h"
#include "train/batch_rows.h"
#include "train/corpus.h"
#include "train/data_parallel.h"
#include "train/device.h"
#include "train/epochs.h"
#include "train/initialisation.h"
#include "train/low_rank.h"
#include "train/model_weights.h"
#include "train/processes.h"
#include "train/prompt_attention.h"
#include "train/prompt_tags.h"
#include "train/row_chunks.h"
#include "train/same_work.h"
#include "train/task_adaptation.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

nlohmann::json grammar_of(const FineTuningJob& job, const std::vector<task::Example>& examples) {
  nlohmann::json grammar = job.grammar;
  if (!job.calls_as_taught || examples.empty()) return grammar;
  std::size_t most = 0, least = SIZE_MAX;
  for (const task::Example& example : examples) {
    const std::size_t calls = task::calls_of(task::answer_of(example)).size();
    most = std::max(most, calls);
    least = std::min(least, calls);
  }
  grammar["most_calls"] = std::max<std::size_t>(most, 1);
  grammar["no_call"] = least == 0;
  return grammar;
}

task::PromptContract new_contract(const FineTuningJob& job, const std::vector<task::Example>& examples) {
  std::vector<task::Tool> tools = task::read_tools(job.dataset / "tools.json");
  if (job.call_format == "chat_template") {
    if (!job.start)
      throw std::invalid_argument(
          "call_format chat_template: expected a pretrained model with a chat template as the input \"model\", found "
          "none");
    return task::PromptContract(task::template_form(task::ChatTemplate::load(*job.start)), std::move(tools))
        .with(job.normalisation)
        .with_grammar(grammar_of(job, examples));
  }
  task::ResponseStyle style = job.style;
  style.context = std::any_of(examples.begin(), examples.end(),
                              [](const task::Example& example) { return example.messages.size() > 1; });
  return task::PromptContract(job.call_format == "inherited" ? "functional_tokens" : job.call_format, std::move(tools),
                              style)
      .with(job.normalisation)
      .with_grammar(grammar_of(job, examples));
}

void begin_embeddings(const std::filesystem::path& folder, const CallModule& module, const RunHooks& hooks) {
  const model::ModelFolder pretrained(folder);
  const std::int64_t missing = take_embeddings(*module.decoder, module.tokenizer, *load_decoder(pretrained),
                                               text::Tokenizer::load(pretrained.path() / "tokenizer.json"));
  hooks.log("embeddings begin with those of '" + folder.string() + "', but for " + std::to_string(missing) + " rows");
}

CallModule new_module(const FineTuningJob& job, const std::vector<task::Example>& examples, const RunHooks& hooks) {
  task::PromptContract contract = new_contract(job, examples);
  std::vector<std::string> texts;
  for (const task::Example& example : examples) {
    try {
      texts.push_back(contract.training_text(example, task::answer_of(example)));
    } catch (const std::invalid_argument&) {
      // Calls that the task does not know: tokenised() rejects the row with this reason.
    }
  }
  text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe(
          texts, {.vocabulary_size = job.model.vocabulary_size, .special_tokens = contract.special_tokens()}),
      "the tokenizer trained on " + (job.dataset / "train.jsonl").string());

  model::ModelConfig config;
  config.vocabulary_size = tokenizer.vocabulary_size();
  apply_shape(job.model, config);
  config.eos_token = contract.end_token(tokenizer);
  config.pad_token = tokenizer.find("<|pad|>").value_or(-1);
  set_prompt_attention(job.model.prompt_attention, contract, tokenizer, config);
  auto decoder = std::make_unique<DecoderModule>(config, job.seed);
  CallModule module{std::move(tokenizer), std::move(contract), std::move(decoder)};
  if (job.embeddings) begin_embeddings(*job.embeddings, module, hooks);
  return module;
}

CallModule starting_module(const FineTuningJob& job, const std::vector<task::Example>& examples,
                           const RunHooks& hooks) {
  if (!job.start) return new_module(job, examples, hooks);
  const model::ModelFolder folder(*job.start);
  const nlohmann::json task = folder.retort().value("task", nlohmann::json::object());
  const std::string known = task.value("format", "");
  if (!known.empty() && (job.call_format == "inherited" || job.call_format == known)) {
    hooks.log("the model knows a task: its form of calls (" + known + "), normalisation and grammar stay");
    return load_call_module(*job.start);
  }
  return adapt_to_task(folder, new_contract(job, examples), job.model.prompt_attention);
}

/// Σ over rows of weight · loss. hidden [N,D].
torch::Tensor summed_loss(DecoderModule& decoder, const torch::Tensor& hidden, const BatchRows& rows, bool dft) {
  const torch::Tensor& head =
      decoder.weight(decoder.config().tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight");
  return summed_by_chunks(
      {hidden}, {head}, logit_chunks(hidden.size(0), decoder.config().vocabulary_size),
      [&](std::int64_t begin, std::int64_t count, const std::vector<torch::Tensor>& by_row) {
        const auto part = [&](const torch::Tensor& of_rows) { return of_rows.narrow(0, begin, count); };
        torch::Tensor losses =
            torch::cross_entropy_loss(decoder.logits(by_row[0]), part(rows.labels), {}, at::Reduction::None);
        if (dft) losses = losses * torch::exp(-losses.detach());
        return (losses * part(rows.weights)).sum();
      });
}

/// States [N,D] of the rows that count.
torch::Tensor row_states(DecoderModule& decoder, const BatchRows& rows, const Dropout& dropout) {
  const torch::Tensor all =
      rows.packed.empty() ? decoder.hidden(rows.ids, dropout) : decoder.hidden_packed(rows.ids, rows.packed, dropout);
  return all.reshape({-1, decoder.config().hidden_size}).index_select(0, rows.index);
}

ParameterGroup learnt_group(const FineTuningJob& job, DecoderModule& decoder) {
  return job.low_rank.rank > 0 ? add_low_rank(decoder, job.low_rank, job.seed) : decoder_group(decoder);
}

ModelSize run(const FineTuningJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  const torch::Device device = device_of(job.training.device);
  expect_same_work(Processes::of_environment(), "fine-tuning", job, {job.start, job.embeddings});
  if (job.loss != "nll" && job.loss != "dft")
    throw std::invalid_argument("loss: expected \"nll\" or \"dft\", found \"" + job.loss + "\"");
  if (job.embeddings && job.start)
    throw std::invalid_argument(
        "expected one of the inputs \"model\", where to start, and \"embeddings\", of a new model; found both");
  if (job.low_rank.rank > 0 && !job.start)
    throw std::invalid_argument("low_rank: expected a model to start from as the input \"model\", found none");
  LabelledRows labelled = read_labelled_rows(job.dataset / "train.jsonl");
  CallModule module = starting_module(job, labelled.examples, hooks);
  DecoderModule& decoder = *module.decoder;
  expect_unlearnt_prompts(job.prompt_loss_weight, decoder.config());
  decoder.to(device);
  decoder.recomputes_layers = job.training.recompute;
  Corpus corpus =
      tokenised(std::move(labelled), module.contract, module.tokenizer,
                {decoder.config().max_positions, job.prompt_loss_weight, job.training.max_rejected_share}, hooks);
  add_prompt_tags(corpus.sequences, module.contract, module.tokenizer, job.tag_weight);
  module.contract = module.contract.with_tag_weight(job.tag_weight > 0 ? job.answer_tag_weight : 0);
  const std::vector<Sequence>& sequences = corpus.sequences;
  Validator validator(
      decoder, module.tokenizer, module.contract,
      validation_examples(job.dataset, job.validation_limit, job.training.max_rejected_share, job.validation.kinds),
      job.threads, hooks.throw_if_stopped);
  hooks.log(std::to_string(sequences.size()) + " labelled utterances, " +
            std::to_string(decoder.config().parameters()) + " parameters, vocabulary " +
            std::to_string(decoder.config().vocabulary_size));

  EpochBatches batches(sequences, job.training, job.seed);
  const ParameterGroups groups({learnt_group(job, decoder)});
  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  validate_with(trainer, validator, batches, job.validation);
  trainer.describe_batches_with(
      [&](std::int64_t step) { return described(sequences, batches.at(step), module.tokenizer); });
  const Processes& processes = Processes::of_environment();
  trainer.share_with(processes);
  auto parallel = std::make_unique<DataParallel>(groups, job.threads);
  trainer.run("fine-tuning", [&](std::int64_t step) {
    const std::vector<std::size_t>& batch = batches.at(step);
    double total_weight = 0;
    for (const std::size_t i : batch) {
      total_weight += sequences[i].label_weight();
      trainer.saw_tokens(static_cast<std::int64_t>(sequences[i].length()));
    }
    const auto parts = parallel->parts(processes.share(batch), job.training.micro_batch_size);
    return parallel->accumulate(parts.size(), [&](std::size_t part) {
      const BatchRows rows =
          to(job.training.packing ? packed_rows(sequences, parts[part]) : batch_rows(sequences, parts[part]), device);
      const MixedPrecision mixed(job.training.precision, device);
      const torch::Tensor hidden =
          row_states(decoder, rows, dropout_of(job.training.dropout, job.seed, step, processes.part(part)));
      return summed_loss(decoder, hidden, rows, job.loss == "dft") / total_weight;
    });
  });
  parallel.reset();
  if (const std::optional<double> score = trainer.use_kept_weights())
    hooks.metric("validation_exact_match", -1, *score);
  save_call_module(job.output, decoder, module.tokenizer, module.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize model_size(const std::filesystem::path& folder) {
  const model::ModelFolder opened(folder);
  return {opened.config().parameters(), opened.weight_bytes()};
}

ModelSize fine_tune(const FineTuningJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
