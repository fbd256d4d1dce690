#include "train/fine_tuning.h"

#include <algorithm>
#include <stdexcept>

#include "task/template_form.h"
#include "text/bpe_trainer.h"
#include "train/batch_rows.h"
#include "train/corpus.h"
#include "train/data_parallel.h"
#include "train/epochs.h"
#include "train/model_weights.h"
#include "train/task_adaptation.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

task::PromptContract new_contract(const FineTuningJob& job, const std::vector<task::Example>& examples) {
  std::vector<task::Tool> tools = task::read_tools(job.dataset / "tools.json");
  if (job.call_format == "chat_template") {
    if (!job.start)
      throw std::invalid_argument(
          "call_format chat_template: expected a pretrained model with a chat template as the input \"model\", found "
          "none");
    return task::PromptContract(task::template_form(task::ChatTemplate::load(*job.start)), std::move(tools))
        .with(job.normalisation)
        .with_grammar(job.grammar);
  }
  task::ResponseStyle style = job.style;
  style.context = std::any_of(examples.begin(), examples.end(),
                              [](const task::Example& example) { return example.messages.size() > 1; });
  return task::PromptContract(job.call_format, std::move(tools), style)
      .with(job.normalisation)
      .with_grammar(job.grammar);
}

CallModule new_module(const FineTuningJob& job, const std::vector<task::Example>& examples) {
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
  auto decoder = std::make_unique<DecoderModule>(config, job.seed);
  return {std::move(tokenizer), std::move(contract), std::move(decoder)};
}

CallModule starting_module(const FineTuningJob& job, const std::vector<task::Example>& examples) {
  if (!job.start) return new_module(job, examples);
  const model::ModelFolder folder(*job.start);
  return folder.retort().contains("task") ? load_call_module(*job.start)
                                          : adapt_to_task(folder, new_contract(job, examples));
}

ModelSize run(const FineTuningJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  LabelledRows labelled = read_labelled_rows(job.dataset / "train.jsonl");
  CallModule module = starting_module(job, labelled.examples);
  DecoderModule& decoder = *module.decoder;
  const Corpus corpus =
      tokenised(std::move(labelled), module.contract, module.tokenizer,
                {decoder.config().max_positions, job.prompt_loss_weight, job.training.max_rejected_share}, hooks);
  const std::vector<Sequence>& sequences = corpus.sequences;
  const std::vector<task::Example> validation =
      validation_examples(job.dataset, job.validation_limit, job.training.max_rejected_share);
  hooks.log(std::to_string(sequences.size()) + " labelled utterances, " +
            std::to_string(decoder.config().parameters()) + " parameters, vocabulary " +
            std::to_string(decoder.config().vocabulary_size));

  EpochBatches batches(sequences, job.training, job.seed);
  const ParameterGroups groups({decoder_group(decoder)});
  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  auto parallel = std::make_unique<DataParallel>(groups, job.threads);
  trainer.run("fine-tuning", [&](std::int64_t step) {
    const std::vector<std::size_t>& batch = batches.at(step);
    double total_weight = 0;
    for (const std::size_t i : batch) total_weight += sequences[i].label_weight();
    const auto parts = parallel->parts(batch, job.training.micro_batch_size);
    const double loss = parallel->accumulate(parts.size(), [&](std::size_t part) {
      const BatchRows rows = batch_rows(sequences, parts[part]);
      const MixedPrecision mixed(job.training.precision);
      const Dropout dropout = dropout_of(job.training.dropout, job.seed, step, part);
      const torch::Tensor hidden =
          decoder.hidden(rows.ids, dropout).reshape({-1, decoder.config().hidden_size}).index_select(0, rows.index);
      const torch::Tensor losses =
          torch::cross_entropy_loss(decoder.logits(hidden), rows.labels, {}, at::Reduction::None);
      return (losses * rows.weights).sum() / total_weight;
    });
    if (!validation.empty() && batches.ends_epoch(step))
      hooks.metric("validation_exact_match", step,
                   exact_match_share(decoder, module.tokenizer, module.contract, validation));
    return loss;
  });
  parallel.reset();
  trainer.use_averaged_weights();
  if (!validation.empty())
    hooks.metric("validation_exact_match", -1,
                 exact_match_share(decoder, module.tokenizer, module.contract, validation));
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
