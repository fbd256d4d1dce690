// Supervised fine-tuning on labelled utterances, from a model folder or from random weights with a tokenizer trained on
// the data. On a dataset of accepted samples it is rejection-sampling fine-tuning. No LibTorch in this header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "task/prompt_contract.h"
#include "train/hooks.h"
#include "train/low_rank_options.h"
#include "train/model_selection.h"
#include "train/new_model.h"
#include "train/training_job.h"

namespace retort::train {

struct FineTuningJob : TrainingJob {
  /// A model folder, with a task or pretrained without one; nothing: a new model.
  std::optional<std::filesystem::path> start;
  /// A model folder whose embedding a new model's begins with (initialisation.h); used without `start`.
  std::optional<std::filesystem::path> embeddings;
  NewModel model;  ///< used without `start`
  /// "functional_tokens", "json" or "chat_template": a model that writes calls in another form is taught this one from
  /// what it knows. "inherited": its own; "functional_tokens" for a model without a task.
  std::string call_format = "inherited";
  task::NormalisationOptions normalisation;  ///< of what users write
  task::ResponseStyle style;
  /// Options of the call grammar (grammar/grammar_options.h). All of these: of a new model, and of one without a task.
  nlohmann::json grammar = nlohmann::json::object();
  /// The grammar allows no more calls in an answer than an answer to learn from has, and none only where one has none.
  bool calls_as_taught = false;
  std::string loss = "nll";  ///< or "dft": what fine_tune() says
  LowRankOptions low_rank;   ///< LoRA; merged into what is written
  ModelSelection validation;
  double tag_weight = 0;          ///< of prompt_tags() in the loss; 0 = none. Needs calls in functional tokens.
  double answer_tag_weight = 2;   ///< PromptContract::tag_weight() of the model, where tag_weight is above 0
  double prompt_loss_weight = 0;  ///< of the prompt's tokens in the loss; 0 = responses only
};

/// Loss "nll": mean −log π(y) of a batch's response tokens y (and weighted prompt tokens), normalised over the whole
/// batch however it is split into micro-batches. "dft" (Wu et al., arXiv 2508.05629, eq. 9): the mean of
/// −sg(π(y))·log π(y), so that unlikely tokens do not drown the others. Throws std::invalid_argument for data that
/// cannot be trained on, std::runtime_error for divergence and files.
ModelSize fine_tune(const FineTuningJob& job, const RunHooks& hooks);

/// Parameters and bytes of a model folder.
ModelSize model_size(const std::filesystem::path& folder);

}  // namespace retort::train
