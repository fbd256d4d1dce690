#include "train/pruning.h"

#include <deque>
#include <retort/torch.hpp>
#include <stdexcept>

#include "host/algorithm/pruner_call.h"
#include "train/calibration.h"
#include "train/fine_tuning.h"
#include "train/model_cut.h"
#include "train/model_weights.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

host::PrunerCall call_of(const retort_bound_component& pruner) {
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
  explicit LentSignals(const PruneSignalTensors& signals)
      : abi_{sizeof(retort_prune_signals),
             0,
             view(signals.hidden_norms),
             view(signals.feed_forward_norms),
             view(signals.head_norms),
             view(signals.block_influence),
             nullptr,
             view(signals.token_counts),
             view(torch::empty({0}, torch::kInt64))} {}
  LentSignals(const LentSignals&) = delete;
  LentSignals& operator=(const LentSignals&) = delete;
  const retort_prune_signals& abi() const { return abi_; }

 private:
  const retort_tensor* view(const Tensor& tensor) {
    if (!tensor.defined()) return nullptr;
    kept_.push_back(tensor.contiguous());
    views_.push_back(lend(kept_.back(), RETORT_TENSOR_READ_ONLY));
    return &views_.back();
  }
  std::deque<Tensor> kept_;
  std::deque<retort_tensor> views_;
  retort_prune_signals abi_;
};

std::vector<Sequence> calibration_sequences(const PruningJob& job, const CallModule& module,
                                            const retort_prune_requirements& wanted) {
  std::vector<Sequence> sequences =
      to_sequences(task::read_split(job.dataset / "train.jsonl").examples, module.contract, module.tokenizer,
                   module.decoder->config().max_positions);
  if (wanted.signals != 0 && sequences.empty())
    throw std::invalid_argument((job.dataset / "train.jsonl").string() +
                                ": the pruner wants calibration data, found no rows");
  SeededSequence random(job.seed, 0);
  for (std::size_t i = sequences.size(); i > 1; --i) std::swap(sequences[i - 1], sequences[random.below(i)]);
  if (static_cast<std::int64_t>(sequences.size()) > wanted.samples)
    sequences.resize(static_cast<std::size_t>(wanted.samples));
  return sequences;
}

/// What this stage cannot do yet is refused before work.
void check_offered(const host::PrunerCall& pruner, const retort_prune_requirements& wanted) {
  constexpr std::uint64_t missing =
      RETORT_SIGNAL_BLOCK_SIMILARITY | RETORT_SIGNAL_GRADIENTS | RETORT_SIGNAL_SQUARED_GRADIENTS;
  if ((wanted.signals & missing) != 0 || (wanted.flags & RETORT_PRUNE_EVALUATES) != 0)
    throw std::invalid_argument(pruner.id() + " asks for signals that this stage does not offer");
}

void refuse_vocabulary(const host::PruneKeeps& plan) {
  for (const host::PruneKeep& keep : plan)
    if (keep.axis == RETORT_AXIS_VOCABULARY)
      throw std::invalid_argument("the pruner's plan for vocabulary rows: this stage cannot cut that axis");
}

ModelSize run(const PruningJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  const host::PrunerCall pruner = call_of(job.pruner);
  const retort_prune_requirements wanted = pruner.requirements();
  check_offered(pruner, wanted);
  CallModule module = load_call_module(job.model);
  const model::ModelConfig& config = module.decoder->config();
  const std::vector<Sequence> sequences = calibration_sequences(job, module, wanted);
  hooks.log("calibrating on " + std::to_string(sequences.size()) + " sequences");
  const LentSignals signals(prune_signals(*module.decoder, sequences, wanted.signals));

  Tensor current;
  retort_tensor view;
  const auto weight = [&](const std::string& name) -> const retort_tensor& {
    current = module.decoder->weight(name).detach();
    view = lend(current, RETORT_TENSOR_READ_ONLY);
    return view;
  };
  const auto none = [](const std::string&) -> const retort_tensor& {
    throw std::invalid_argument("gradients were not asked for");
  };
  const auto evaluate = [](const host::PruneKeeps&) -> double {
    throw std::invalid_argument("RETORT_PRUNE_EVALUATES was not asked for");
  };
  host::CallMetrics metrics;
  const host::PruneKeeps plan =
      pruner.plan(structure_of(config), signals.abi(), {weight, none, none, evaluate}, metrics);
  refuse_vocabulary(plan);

  const std::unique_ptr<DecoderModule> small = cut_decoder(*module.decoder, plan);
  for (const auto& [name, value] : metrics) hooks.metric(name, -1, value);
  hooks.metric("parameters_before", -1, static_cast<double>(config.parameters()));
  hooks.metric("parameters_removed", -1,
               1.0 - static_cast<double>(small->config().parameters()) / static_cast<double>(config.parameters()));
  save_call_module(job.output, *small, module.tokenizer, module.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize prune(const PruningJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
