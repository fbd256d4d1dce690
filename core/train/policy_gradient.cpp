#include "train/policy_gradient.h"

#include <numeric>
#include <optional>
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

retort_rl_requirements requirements_of(const RlPlugin& plugin) {
  retort_rl_requirements wanted{};
  wanted.struct_size = sizeof(wanted);
  plugin.throw_if_error(plugin.functions->requirements(plugin.instance, &wanted));
  if ((wanted.needs & (RETORT_RL_NEEDS_VALUES | RETORT_RL_NEEDS_PAIRS)) != 0)
    throw std::invalid_argument(
        "the algorithm asks for a critic or for preference pairs; this stage offers group "
        "rewards and a frozen reference only");
  if (wanted.group_size < 1)
    throw std::invalid_argument("the algorithm asks for a group of " + std::to_string(wanted.group_size) +
                                " samples; expected at least 1");
  return wanted;
}

/// The rows of a step: R sampled sequences and their scores.
struct RolloutBatch {
  std::vector<Sequence> sequences;  ///< prompt and sampled response of row b·G+g
  Tensor rewards;                   ///< [B,G]
};

/// R rows, T response positions.
class PolicyStep {
 public:
  PolicyStep(const PolicyGradientJob& job, const CallModule& policy, DecoderModule* reference,
             const std::vector<task::Example>& examples, const std::vector<Sequence>& prompts)
      : job_(job),
        wanted_(requirements_of(job.algorithm)),
        policy_(policy),
        reference_(reference),
        examples_(examples),
        prompts_(prompts),
        gradients_(policy.decoder->parameters(), 1) {}

  double accumulate(const std::vector<std::size_t>& batch, std::int64_t step, const RunHooks& hooks) {
    RolloutBatch rollouts = roll_out(batch, step);
    RlTensors tensors;
    tensors.rewards = rollouts.rewards;
    tensors.maximum_tokens = job_.max_new_tokens;
    MetricMap metrics;
    metrics["reward"] = rollouts.rewards.mean().item<double>();
    metrics["malformed"] = (rollouts.rewards < 0).to(torch::kFloat32).mean().item<double>();
    tensors.mask = response_mask(rollouts.sequences);
    if (reference_ != nullptr) {
      torch::NoGradGuard no_grad;
      tensors.reference_log_probs = log_probs(*reference_, rollouts.sequences, all_rows(rollouts));
    }
    {
      torch::NoGradGuard no_grad;
      tensors.old_log_probs = log_probs(*policy_.decoder, rollouts.sequences, all_rows(rollouts));
    }
    const double loss = learn(rollouts, tensors, metrics);
    for (const auto& [name, value] : metrics) hooks.metric(name, step, value);
    return loss;
  }

 private:
  static std::vector<std::size_t> all_rows(const RolloutBatch& rollouts) {
    std::vector<std::size_t> rows(rollouts.sequences.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    return rows;
  }

  RolloutBatch roll_out(const std::vector<std::size_t>& batch, std::int64_t step) const {
    const std::int64_t group = wanted_.group_size;
    std::vector<std::vector<text::TokenId>> asked;
    for (const std::size_t i : batch)
      for (std::int64_t g = 0; g < group; ++g) asked.push_back(prompts_[i].prompt);
    const auto responses = sample(*policy_.decoder, asked,
                                  {.temperature = job_.temperature,
                                   .max_new_tokens = job_.max_new_tokens,
                                   .end_token = policy_.contract.end_token(policy_.tokenizer),
                                   .seed = job_.seed ^ (static_cast<std::uint64_t>(step) << 20),
                                   .batch_size = 512});
    RolloutBatch rollouts;
    std::vector<Rollout> scored;
    for (std::size_t row = 0; row < asked.size(); ++row) {
      const std::size_t prompt = batch[row / static_cast<std::size_t>(group)];
      rollouts.sequences.push_back({asked[row], responses[row], prompts_[prompt].example});
      scored.push_back(
          {&examples_[prompts_[prompt].example], policy_.contract.parse(policy_.tokenizer, responses[row])});
    }
    const std::vector<double> scores = job_.reward(policy_.contract.tools(), scored);
    if (scores.size() != scored.size())
      throw std::runtime_error("the reward returned " + std::to_string(scores.size()) + " scores for " +
                               std::to_string(scored.size()) + " responses");
    rollouts.rewards = torch::tensor(scores, torch::kFloat32).view({-1, group});
    return rollouts;
  }

  /// [R,T] of every row's response tokens.
  static Tensor response_mask(const std::vector<Sequence>& sequences) {
    std::size_t longest = 1;
    for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.response.size());
    Tensor mask = torch::zeros({static_cast<std::int64_t>(sequences.size()), static_cast<std::int64_t>(longest)});
    for (std::size_t row = 0; row < sequences.size(); ++row)
      mask[static_cast<std::int64_t>(row)]
          .narrow(0, 0, static_cast<std::int64_t>(sequences[row].response.size()))
          .fill_(1);
    return mask;
  }

  /// [rows,T] log-probability of every sampled token, 0 where the mask is 0; T as in response_mask of all sequences.
  Tensor log_probs(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                   const std::vector<std::size_t>& rows) const {
    const BatchRows batch = batch_rows(sequences, rows, 0);
    const Tensor hidden =
        decoder.hidden(batch.ids).reshape({-1, decoder.config().hidden_size}).index_select(0, batch.index);
    const Tensor chosen =
        torch::log_softmax(decoder.logits(hidden), -1).gather(1, batch.labels.unsqueeze(1)).squeeze(1);
    std::size_t longest = 1;
    for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.response.size());
    std::vector<std::int64_t> cells;
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t t = 0; t < sequences[rows[i]].response.size(); ++t)
        cells.push_back(static_cast<std::int64_t>(i * longest + t));
    const Tensor flat = torch::zeros({static_cast<std::int64_t>(rows.size() * longest)});
    return flat.index_put({torch::tensor(cells, torch::kInt64)}, chosen)
        .view({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(longest)});
  }

  double learn(const RolloutBatch& rollouts, RlTensors& tensors, MetricMap& metrics) {
    const Tensor keep = rl_advantages(job_.algorithm, tensors, metrics);
    std::vector<std::size_t> kept;
    for (std::size_t row = 0; row < rollouts.sequences.size(); ++row)
      if (keep[static_cast<std::int64_t>(row) / wanted_.group_size].item<float>() > 0) kept.push_back(row);
    metrics["trained_rows"] = static_cast<double>(kept.size());
    if (kept.empty()) return 0;
    const Tensor index = torch::tensor(std::vector<std::int64_t>(kept.begin(), kept.end()), torch::kInt64);
    tensors.step_rows = static_cast<std::int64_t>(kept.size());
    tensors.step_tokens = static_cast<std::int64_t>(tensors.mask.index_select(0, index).sum().item<double>());

    const auto parts = gradients_.parts(kept, job_.training.micro_batch_size);
    return gradients_.accumulate(parts.size(), [&](std::size_t part) {
      const std::vector<std::size_t> rows(parts[part].begin(), parts[part].end());
      const Tensor chosen = torch::tensor(std::vector<std::int64_t>(rows.begin(), rows.end()), torch::kInt64);
      RlTensors slice = tensors;
      slice.rewards = rollouts.rewards.view({-1}).index_select(0, chosen).unsqueeze(1);
      for (Tensor* tensor : {&slice.mask, &slice.old_log_probs, &slice.reference_log_probs, &slice.advantages})
        if (tensor->defined()) *tensor = tensor->index_select(0, chosen);
      return rl_loss(job_.algorithm, log_probs(*policy_.decoder, rollouts.sequences, rows), slice, metrics);
    });
  }

  const PolicyGradientJob& job_;
  const retort_rl_requirements wanted_;
  const CallModule& policy_;
  DecoderModule* reference_;
  const std::vector<task::Example>& examples_;
  const std::vector<Sequence>& prompts_;
  DataParallel gradients_;  ///< of one thread: a plugin's loss takes most of a part
};

ModelSize run(const PolicyGradientJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  CallModule policy = load_call_module(job.policy);
  std::unique_ptr<DecoderModule> reference;
  if ((requirements_of(job.algorithm).needs & RETORT_RL_NEEDS_REFERENCE) != 0)
    reference = load_call_module(job.policy).decoder;
  task::Split split = task::read_split(job.dataset / "train.jsonl");
  std::erase_if(split.examples, [](const task::Example& example) { return !example.calls; });
  if (split.examples.empty())
    throw std::invalid_argument((job.dataset / "train.jsonl").string() + ": expected labelled examples, found none");
  const std::vector<Sequence> prompts =
      to_sequences(split.examples, policy.contract, policy.tokenizer, policy.decoder->config().max_positions);
  const std::vector<task::Example> validation = validation_examples(job.dataset, job.validation_limit);

  EpochBatches batches(prompts, job.training, job.seed);
  Trainer trainer(ParameterGroups({decoder_group(*policy.decoder)}), job.training, batches.total_steps(), job.seed, job.work, hooks);
  PolicyStep policy_step(job, policy, reference.get(), split.examples, prompts);
  trainer.run("policy gradient", [&](std::int64_t step) {
    if (!validation.empty() && job.validation_steps > 0 && step % job.validation_steps == 0)
      hooks.metric("validation_exact_match", step,
                   exact_match_share(*policy.decoder, policy.tokenizer, policy.contract, validation));
    return policy_step.accumulate(batches.at(step), step, hooks);
  });
  trainer.use_averaged_weights();
  if (!validation.empty())
    hooks.metric("validation_exact_match", -1,
                 exact_match_share(*policy.decoder, policy.tokenizer, policy.contract, validation));
  save_call_module(job.output, *policy.decoder, policy.tokenizer, policy.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize policy_gradient(const PolicyGradientJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
