// What the stages that train have in common: their parameters as the config spells them, and the way from a stage's
// context to core/train. No LibTorch.
#pragma once

#include <nlohmann/json.hpp>
#include <retort/sdk.hpp>
#include <string>
#include <vector>

#include "train/fine_tuning.h"
#include "train/hooks.h"
#include "train/plugin_handle.h"
#include "train/training_device.h"

namespace retort::stages {

inline train::RunHooks hooks(const StageContext& context) {
  return {[&context](std::string_view name, std::int64_t step, double value) {
            if (step < 0)
              context.fact(name, nlohmann::json(value).dump());
            else
              context.metric(name, step, value);
          },
          [&context](std::string_view label, std::int64_t done, std::int64_t total, std::string_view unit) {
            context.progress(label, done, total, unit);
          },
          [] { throw_if_stopped(); }, [](std::string_view message) { log_info(message); }};
}

inline void record_size(const StageContext& context, const train::ModelSize& size) {
  context.fact("parameters", std::to_string(size.parameters));
  context.fact("bytes", std::to_string(size.bytes));
}

/// What every training job takes from the stage's context and from parameters named alike.
template <typename Params>
void fill(train::TrainingJob& job, const StageContext& context, const Params& params) {
  job.dataset = context.input_folder("dataset");
  job.validation_limit = params.validation_limit;
  job.training = params.training;
  job.seed = context.seed();
  job.threads = context.threads();
  job.output = context.output_folder();
  job.work = context.work_folder();
}

/// Says before the first stage runs what no training could begin on.
inline void check_device(std::vector<std::string>& findings, const train::TrainingOptions& training,
                         const std::string& parameter = "training.device") {
  for (const std::string& finding : train::device_findings(training.device))
    findings.push_back(parameter + ": " + finding);
}

/// Refuses what a stage would leave without effect: of all trainings, fine-tuning alone packs.
inline void check_no_packing(std::vector<std::string>& findings, const train::TrainingOptions& training,
                             const std::string& parameter = "training.packing") {
  if (training.packing)
    findings.push_back(parameter +
                       ": expected false, found true; stage.sft alone packs sequences, leave it out here (batches "
                       "hold sequences of like length anyway)");
}

/// Likewise where log-probabilities of one policy are compared from pass to pass.
inline void check_no_dropout(std::vector<std::string>& findings, const train::TrainingOptions& training) {
  if (training.dropout > 0)
    findings.push_back("training.dropout: expected 0, found " + nlohmann::json(training.dropout).dump() +
                       "; log-probabilities of several passes are compared here, and dropout would make them differ: "
                       "leave it out, or set it where the model is fine-tuned or distilled");
}

template <typename Table>
train::PluginHandle<Table> handle(const BoundComponent& component) {
  return {component.instance(), &component.functions<Table>(), [](retort_error* error) { throw_if_error(error); },
          std::string(component.id())};
}

/// The component in `slot` once for every thread: an instance is used by one thread at a time.
template <typename Table>
std::vector<train::PluginHandle<Table>> handles(const StageContext& context, std::string_view slot) {
  std::vector<train::PluginHandle<Table>> all{handle<Table>(context.slot(slot).value())};
  while (static_cast<std::int64_t>(all.size()) < context.threads()) all.push_back(handle<Table>(context.create(slot)));
  return all;
}

/// Adds the shared training parameters to a stage's own; `field` is the TrainingOptions member of its Params.
inline ParameterSet<train::TrainingOptions> training_parameters() {
  using T = train::TrainingOptions;
  return params<T>()
      .string("optimizer", &T::optimizer)
      .one_of({"adamw", "muon", "adafactor"})
      .doc("muon: of the matrices between hidden states, with AdamW's rates, and AdamW for the rest")
      .number("learning_rate", &T::learning_rate)
      .above(0)
      .doc("peak of the schedule")
      .number("weight_decay", &T::weight_decay)
      .at_least(0)
      .doc("decoupled, on matrices; 0 = off")
      .string("schedule", &T::schedule)
      .one_of({"cosine", "wsd", "constant"})
      .doc("of the learning rate after the warm-up; wsd: stable, then falling linearly")
      .number("decay_fraction", &T::decay_fraction)
      .above(0)
      .at_most(1)
      .doc("of wsd: share of the steps, the last ones, in which the rate falls")
      .number("warmup_fraction", &T::warmup_fraction)
      .at_least(0)
      .below(1)
      .doc("share of the steps that warm up")
      .number("final_fraction", &T::final_fraction)
      .at_least(0)
      .at_most(1)
      .doc("of the peak rate, at the last step")
      .number("gradient_clip", &T::gradient_clip)
      .at_least(0)
      .doc("global L2 norm; 0 = off")
      .number("average_decay", &T::average_decay)
      .at_least(0)
      .below(1)
      .doc("exponential moving average of the weights, used as the result; 0 = off")
      .number("dropout", &T::dropout)
      .at_least(0)
      .below(1)
      .doc("on the embedding and residual branches, of fine-tuning and distillation; 0 = off")
      .integer("batch_size", &T::batch_size)
      .at_least(1)
      .unit("sequences")
      .doc("in one optimiser step")
      .number("epochs", &T::epochs)
      .above(0)
      .doc("passes over the data")
      .integer("steps", &T::steps)
      .at_least(0)
      .doc("optimiser steps; 0 = as many as epochs asks for")
      .number("max_rejected_share", &T::max_rejected_share)
      .at_least(0)
      .at_most(1)
      .doc("of the data set's rows that may be unusable: they are left out and counted")
      .integer("micro_batch_size", &T::micro_batch_size)
      .at_least(0)
      .unit("sequences")
      .doc("in one forward pass; 0 = the whole batch")
      .boolean("packing", &T::packing)
      .doc("of stage.sft alone: sequences follow one another without padding")
      .boolean("recompute", &T::recompute)
      .doc("activations are computed again in the backward pass instead of kept: less memory, more time")
      .integer("checkpoint_steps", &T::checkpoint_steps)
      .at_least(0)
      .unit("steps")
      .doc("between checkpoints: what a killed run loses at most; 0 = none")
      .string("precision", &T::precision)
      .one_of({"f32", "bf16", "auto"})
      .doc(
          "of matrix products; auto: bf16 where the CPU has AVX512_BF16, and on a GPU, but f32 of stage.rl and "
          "stage.preference, which compare log-probabilities of several passes")
      .string("device", &T::device)
      .doc(
          "where it computes: cpu, cuda or cuda:N; cuda is the first GPU, or of several processes the one that "
          "LOCAL_RANK names. Losses of plugins, rollouts and validations stay on the CPU");
}

/// Which weights a stage keeps; `field` is the ModelSelection member of its Params.
inline ParameterSet<train::ModelSelection> selection_parameters() {
  using S = train::ModelSelection;
  return params<S>()
      .integer("steps", &S::steps)
      .at_least(0)
      .unit("steps")
      .doc("between validations; 0 = one at the end of every epoch")
      .strings("kinds", &S::kinds)
      .doc("metadata \"kind\" of the validation rows that are answered; empty = all rows")
      .string("keep", &S::keep)
      .one_of({"last", "best"})
      .doc("the weights that are written: those of the end, or of the validation with the best exact match")
      .integer("patience", &S::patience)
      .at_least(0)
      .unit("validations")
      .doc("in a row without a better one, after which training ends early; 0 = off");
}

inline ParameterSet<train::LowRankOptions> low_rank_parameters() {
  using L = train::LowRankOptions;
  return params<L>()
      .integer("rank", &L::rank)
      .at_least(0)
      .doc("of the factors that learn in the place of the weights (LoRA); 0 = off")
      .number("alpha", &L::alpha)
      .above(0)
      .doc("the factors' product counts alpha/rank times")
      .strings("targets", &L::targets)
      .doc("which matrices of every layer have factors, by the last part of their names");
}

/// The sizes that every new model has, whatever its tokenizer comes from.
inline ParameterSet<train::NewModel> model_size_parameters() {
  using M = train::NewModel;
  return params<M>()
      .integer("hidden_size", &M::hidden_size)
      .at_least(8)
      .doc("D")
      .integer("layers", &M::layers)
      .at_least(1)
      .doc("L")
      .integer("heads", &M::heads)
      .at_least(1)
      .doc("query heads")
      .integer("kv_heads", &M::kv_heads)
      .at_least(1)
      .doc("key and value heads; divides heads")
      .integer("head_dim", &M::head_dim)
      .at_least(0)
      .doc("0 = hidden_size / heads")
      .integer("intermediate_size", &M::intermediate_size)
      .at_least(8)
      .doc("F, channels of the feed-forward");
}

/// Of a model that also gets a tokenizer of its own.
inline ParameterSet<train::NewModel> new_model_parameters() {
  using M = train::NewModel;
  return model_size_parameters()
      .integer("vocabulary_size", &M::vocabulary_size)
      .at_least(300)
      .unit("tokens")
      .doc("of the trained tokenizer")
      .integer("max_positions", &M::max_positions)
      .at_least(16)
      .unit("tokens")
      .doc("longest prompt with response")
      .number("rope_theta", &M::rope_theta)
      .above(0)
      .doc("base of the rotary position embedding")
      .string("prompt_attention", &M::prompt_attention)
      .one_of({"causal", "bidirectional"})
      .doc(
          "bidirectional = each token of a prompt sees all of it, as in an encoder; also of a pretrained model without "
          "a task");
}

}  // namespace retort::stages
