#include "train/pruning.h"

#include <deque>
#include <map>
#include <retort/torch.hpp>
#include <set>
#include <stdexcept>

#include "host/algorithm/pruner_call.h"
#include "host/base/diagnostic.h"
#include "host/plugin/signal_names.h"
#include "text/vocabulary_cut.h"
#include "train/calibration.h"
#include "train/calibration_set.h"
#include "train/compression_check.h"
#include "train/fine_tuning.h"
#include "train/model_cut.h"
#include "train/model_weights.h"
#include "train/plugin_node.h"
#include "train/token_loss.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

host::PrunerCall pruner_call_of(const retort_bound_component& pruner) {
  return {std::string(pruner.id.data, pruner.id.size), pruner.instance,
          *static_cast<const retort_pruner_v1*>(pruner.functions)};
}

retort_prune_structure structure_of(const model::ModelConfig& config) {
  return {sizeof(retort_prune_structure),
          config.tie_word_embeddings ? 1U : 0U,
          config.layers,
          config.heads,
          config.kv_heads,
          config.head_dim,
          config.hidden_size,
          config.intermediate_size,
          config.vocabulary_size,
          config.parameters()};
}

/// Tensors and their views, for the length of a call.
class LentSignals {
 public:
  LentSignals(const PruneSignalTensors& signals, const std::vector<std::int64_t>& required_tokens)
      : abi_{sizeof(retort_prune_signals),
             0,
             view(signals.hidden_norms),
             view(signals.feed_forward_norms),
             view(signals.head_norms),
             view(signals.block_influence),
             view(signals.block_similarity),
             view(signals.token_counts),
             view(torch::tensor(required_tokens, torch::kInt64))} {}
  LentSignals(const LentSignals&) = delete;
  LentSignals& operator=(const LentSignals&) = delete;
  const retort_prune_signals& abi() const { return abi_; }

 private:
  const retort_tensor* view(const Tensor& tensor) { return lent_.emplace_back(tensor).address(); }
  std::deque<Lent> lent_;
  retort_prune_signals abi_;
};

/// What calibrates: examples drawn at random, as many as the pruner wants, less those that the model cannot read.
Corpus drawn_corpus(const PruningJob& job, const CallModule& module, const host::PrunerCall& pruner,
                    const retort_prune_requirements& wanted, const RunHooks& hooks) {
  constexpr double any_share = 1.0;  // decided when all reasons are known
  const std::filesystem::path file = job.dataset / "train.jsonl";
  task::Split split = task::read_split(file, any_share, task::Turns::all);
  std::vector<task::Example>& examples = split.examples;
  const bool needs_data = wanted.signals != 0 || (wanted.flags & RETORT_PRUNE_EVALUATES) != 0;
  if (needs_data && (examples.empty() || wanted.samples == 0))
    throw std::invalid_argument(file.string() + ": " + pruner.id() + " wants calibration data, found " +
                                std::to_string(examples.size()) + " rows, and " + std::to_string(wanted.samples) +
                                " samples asked for");
  SeededSequence random(job.seed, 0);
  for (std::size_t i = examples.size(); i > 1; --i) std::swap(examples[i - 1], examples[random.below(i)]);
  if (static_cast<std::int64_t>(examples.size()) > wanted.samples)
    examples.resize(static_cast<std::size_t>(wanted.samples));
  return calibration_corpus(
      std::move(split), file, module.contract, module.tokenizer,
      {.max_length = module.decoder->config().max_positions, .max_rejected_share = job.max_rejected_share}, hooks);
}

/// Tokens that a vocabulary plan must keep: the tokenizer's own, the task's special ones, the configuration's.
std::vector<text::TokenId> kept_in_any_case(const CallModule& module) {
  const model::ModelConfig& config = module.decoder->config();
  std::set<text::TokenId> required;
  for (const text::TokenId token : text::required_tokens(module.tokenizer)) required.insert(token);
  for (const std::string& token : module.contract.special_tokens())
    if (const auto id = module.tokenizer.find(token)) required.insert(*id);
  for (const std::int64_t token : {config.bos_token, config.eos_token, config.pad_token, config.prompt_end_token})
    if (token >= 0) required.insert(static_cast<text::TokenId>(token));
  while (!required.empty() && *required.rbegin() >= config.vocabulary_size) required.erase(*required.rbegin());
  return {required.begin(), required.end()};
}

/// The plan with the vocabulary closed under merges; unchanged where it does not cut the vocabulary.
host::PruneKeeps closed(const text::Tokenizer& tokenizer, host::PruneKeeps plan) {
  for (host::PruneKeep& keep : plan)
    if (keep.axis == RETORT_AXIS_VOCABULARY) {
      const auto whole =
          text::closed_under_merges(tokenizer, std::vector<text::TokenId>(keep.indices.begin(), keep.indices.end()));
      keep.indices.assign(whole.begin(), whole.end());
    }
  return plan;
}

/// The tokenizer that fits the plan's vocabulary.
text::Tokenizer tokenizer_of(const text::Tokenizer& tokenizer, const host::PruneKeeps& plan) {
  for (const host::PruneKeep& keep : plan)
    if (keep.axis == RETORT_AXIS_VOCABULARY) {
      std::vector<text::TokenId> kept;  // rows behind the tokenizer's last id have no token
      for (const std::int64_t id : keep.indices)
        if (id < tokenizer.vocabulary_size()) kept.push_back(static_cast<text::TokenId>(id));
      return text::cut_vocabulary(tokenizer, kept);
    }
  return text::Tokenizer::parse(tokenizer.to_json(), "the tokenizer");
}

/// "[64,128]".
std::string shape_text(const Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes()) text += (text.empty() ? "[" : ",") + std::to_string(size);
  return text + "]";
}

/// What a pruner may ask of the model, and the new weights that it gives.
class ModelAnswers {
 public:
  ModelAnswers(const CallModule& module, const std::vector<task::Example>& examples,
               const std::vector<Sequence>& sequences, const retort_prune_requirements& wanted, const RunHooks& hooks)
      : module_(module),
        examples_(examples),
        sequences_(sequences),
        wanted_(wanted),
        hooks_(hooks),
        hessians_(*module.decoder, sequences) {
    constexpr std::uint64_t any = RETORT_SIGNAL_GRADIENTS | RETORT_SIGNAL_SQUARED_GRADIENTS;
    if ((wanted.signals & any) != 0)
      gradients_ = loss_gradients(*module.decoder, sequences, (wanted.signals & RETORT_SIGNAL_SQUARED_GRADIENTS) != 0);
  }

  host::PruneModelAnswers functions() {
    return {[this](const std::string& name) -> const retort_tensor& { return lend_out(weight(name)); },
            [this](const std::string& name) -> const retort_tensor& {
              weight(name);
              expect_asked(RETORT_SIGNAL_GRADIENTS);
              return lend_out(gradients_.mean.at(name));
            },
            [this](const std::string& name) -> const retort_tensor& {
              weight(name);
              expect_asked(RETORT_SIGNAL_SQUARED_GRADIENTS);
              return lend_out(gradients_.mean_square.at(name));
            },
            [this](const host::PruneKeeps& plan) { return evaluate(plan); },
            [this](std::int64_t layer) -> const retort_tensor& {
              expect_asked(RETORT_SIGNAL_FEED_FORWARD_HESSIAN);
              hooks_.throw_if_stopped();
              hooks_.progress("calibrating", layer + 1, module_.decoder->config().layers, "layers");
              return lend_out(hessians_.of(layer));
            },
            [this](const std::string& name, const retort_tensor& values) { replace(name, values); }};
  }
  /// The model with the new weights that the pruner gave.
  void apply_new_weights() {
    torch::NoGradGuard no_grad;
    for (const auto& [name, values] : replaced_) module_.decoder->weight(name).copy_(values);
  }

 private:
  Tensor weight(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& [known, tensor] : module_.decoder->weights()) {
      if (known == name) return tensor.detach();
      names.push_back(known);
    }
    const std::string nearest = host::nearest_name(name, names);
    throw std::invalid_argument("the model has no weight named " + name +
                                (nearest.empty() ? "" : "; the nearest is " + nearest));
  }
  void expect_asked(std::uint64_t signal) const {
    if ((wanted_.signals & signal) == 0)
      throw std::invalid_argument("the requirements did not ask for " + host::signal_names(signal));
  }
  const retort_tensor& lend_out(const Tensor& tensor) {
    current_ = std::make_unique<Lent>(tensor);
    return *current_->address();
  }
  void replace(const std::string& name, const retort_tensor& values) {
    const Tensor present = weight(name);
    const Tensor given = borrow(values).to(torch::kFloat32).clone();
    if (given.sizes() != present.sizes())
      throw std::invalid_argument(name + ": expected new values in its shape " + shape_text(present) + ", found " +
                                  shape_text(given));
    if (!given.isfinite().all().item<bool>())
      throw std::invalid_argument(name + ": expected finite new values, found others");
    replaced_[name] = given;
  }
  double evaluate(const host::PruneKeeps& plan) {
    if ((wanted_.flags & RETORT_PRUNE_EVALUATES) == 0)
      throw std::invalid_argument("the requirements did not say RETORT_PRUNE_EVALUATES");
    hooks_.throw_if_stopped();
    hooks_.progress("evaluating", ++evaluated_, 0, "plans");
    if (plan.empty()) return mean_token_loss(*module_.decoder, sequences_);
    const host::PruneKeeps whole = closed(module_.tokenizer, plan);
    const std::unique_ptr<DecoderModule> candidate = cut_decoder(*module_.decoder, whole);
    return mean_token_loss(*candidate, to_sequences(examples_, module_.contract, tokenizer_of(module_.tokenizer, whole),
                                                    candidate->config().max_positions));
  }

  const CallModule& module_;
  const std::vector<task::Example>& examples_;
  const std::vector<Sequence>& sequences_;
  retort_prune_requirements wanted_;
  const RunHooks& hooks_;
  FeedForwardHessians hessians_;
  std::map<std::string, Tensor> replaced_;
  LossGradients gradients_;
  std::unique_ptr<Lent> current_;
  std::int64_t evaluated_ = 0;
};

void record(const RunHooks& hooks, const model::ModelConfig& before, const model::ModelConfig& after,
            const host::CallMetrics& metrics) {
  for (const auto& [name, value] : metrics) hooks.metric(name, -1, value);
  hooks.metric("parameters_before", -1, static_cast<double>(before.parameters()));
  hooks.metric("parameters_removed", -1,
               1.0 - static_cast<double>(after.parameters()) / static_cast<double>(before.parameters()));
}

ModelSize run(const PruningJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  const host::PrunerCall pruner = pruner_call_of(job.pruner);
  const retort_prune_requirements wanted = pruner.requirements();
  const model::ModelFolder source(job.model);
  expect_float_weights(source, pruner.id(), hooks);
  const CallModule module = load_call_module(job.model);
  const model::ModelConfig& config = module.decoder->config();
  const Corpus corpus = drawn_corpus(job, module, pruner, wanted, hooks);
  const std::vector<Sequence>& sequences = corpus.sequences;
  expect_known_tokens(sequences, module.tokenizer, source);
  hooks.log("calibrating on " + std::to_string(sequences.size()) + " sequences");
  const std::vector<text::TokenId> required = kept_in_any_case(module);
  const LentSignals signals(prune_signals(*module.decoder, sequences, wanted.signals),
                            std::vector<std::int64_t>(required.begin(), required.end()));
  ModelAnswers answers(module, corpus.examples, sequences, wanted, hooks);
  host::CallMetrics metrics;
  const host::PruneKeeps plan =
      closed(module.tokenizer, pruner.plan(structure_of(config), signals.abi(), answers.functions(), metrics));
  answers.apply_new_weights();
  const std::unique_ptr<DecoderModule> small = cut_decoder(*module.decoder, plan);
  record(hooks, config, small->config(), metrics);
  save_call_module(job.output, *small, tokenizer_of(module.tokenizer, plan), module.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize prune(const PruningJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

bool check_pruner(const retort_bound_component& pruner) {
  return pruner_call_of(pruner).requirements().signals != 0;
}

}  // namespace retort::train
