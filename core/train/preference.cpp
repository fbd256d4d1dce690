#include "train/preference.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "train/corpus.h"
#include "train/data_parallel.h"
#include "train/device.h"
#include "train/epochs.h"
#include "train/instance_pool.h"
#include "train/model_weights.h"
#include "train/preference_data.h"
#include "train/preference_loss.h"
#include "train/processes.h"
#include "train/response_signals.h"
#include "train/rollouts.h"
#include "train/same_work.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

constexpr std::size_t prompts_at_once = 64;  // sampled and scored before the next ones: progress, and a bound on memory

void check(const PreferenceJob& job) {
  if (job.algorithm.empty()) throw std::invalid_argument("preferences: expected an algorithm, found none");
  if (!job.samples) return;
  if (job.samples->count < 2)
    throw std::invalid_argument("samples: expected at least 2 a prompt, found " + std::to_string(job.samples->count));
  if (!(job.samples->temperature > 0))
    throw std::invalid_argument("temperature: expected a number above 0, found " +
                                std::to_string(job.samples->temperature));
}

/// The best and the worst of several samples of every labelled prompt, by the policy as it is.
PreferenceData sample_preferences(const PreferenceJob& job, const CallModule& policy, const RunHooks& hooks) {
  const PreferenceSamples& samples = *job.samples;
  const Corpus corpus = tokenised(read_labelled_rows(job.dataset / "train.jsonl"), policy.contract, policy.tokenizer,
                                  {policy.decoder->config().max_positions, 0, job.training.max_rejected_share}, hooks);
  const std::vector<Sequence>& prompts = corpus.sequences;
  RolloutSampler sampler(
      policy, corpus.examples, prompts,
      {.temperature = samples.temperature, .max_new_tokens = samples.max_new_tokens, .group_size = samples.count},
      job.threads);
  PreferenceData all;
  const bool paired = !job.algorithm.front().unpaired();
  const Processes& processes = Processes::of_environment();
  double unscored = 0;
  for (std::size_t begin = 0; begin < prompts.size(); begin += prompts_at_once) {
    hooks.throw_if_stopped();
    std::vector<std::size_t> batch(std::min(prompts_at_once, prompts.size() - begin));
    std::iota(batch.begin(), batch.end(), begin);
    const Share share = processes.share(batch.size());
    const RolloutBatch rollouts = sampler.sample(std::span(batch).subspan(share.begin, share.end - share.begin),
                                                 job.seed ^ (static_cast<std::uint64_t>(begin) << 20), share.begin);
    std::vector<host::RewardItem> verdicts;
    if (!rollouts.answers.empty()) verdicts = samples.reward(policy.contract.tools(), rollouts.answers);
    for (const host::RewardItem& verdict : verdicts) unscored += verdict.error.empty() ? 0 : 1;
    const PreferenceData found = best_against_worst(rollouts.sequences, rollouts.answers, verdicts,
                                                    samples.reward_weights, samples.margin, paired);
    if (processes.alone()) {
      append(all, found);
    } else {
      for (const nlohmann::json& part : processes.gather(to_json(found))) append(all, preferences_from_json(part));
    }
    hooks.progress("sampling", static_cast<std::int64_t>(begin + batch.size()),
                   static_cast<std::int64_t>(prompts.size()), "prompts");
  }
  hooks.metric("unscored_samples", -1, processes.sum({{"unscored", unscored}}).at("unscored"));
  if (all.items.empty())
    throw std::runtime_error("none of " + std::to_string(prompts.size()) +
                             " prompts got samples whose scores differ by more than " + std::to_string(samples.margin) +
                             "; raise the temperature or the number of samples, or look at what the reward says");
  return all;
}

PreferenceData read(const PreferenceJob& job, const CallModule& policy, const RunHooks& hooks) {
  if (job.samples) return sample_preferences(job, policy, hooks);
  const bool paired = !job.algorithm.front().unpaired();
  const double share = job.training.max_rejected_share;
  PreferenceRows rows = read_preferences(job.dataset / "train.jsonl", paired, share);
  PreferenceData data =
      to_preferences(rows, policy.contract, policy.tokenizer, policy.decoder->config().max_positions, paired, share);
  hooks.metric("rejected_rows", -1, static_cast<double>(rows.rejected.size()));
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.rejected.size(), 3); ++i)
    hooks.log(rows.file.string() + ": line " + std::to_string(rows.rejected[i].line) +
              " cannot be used: " + rows.rejected[i].reason);
  return data;
}

/// The pairs of a batch: the chosen sequences, then the rejected ones.
nlohmann::json described_pairs(const PreferenceData& data, const std::vector<std::size_t>& items,
                               const text::Tokenizer& tokenizer) {
  std::vector<std::size_t> sides[2];
  for (const std::size_t item : items) {
    const std::int64_t sequences[] = {data.items[item].chosen, data.items[item].rejected};
    for (std::size_t side = 0; side < 2; ++side)
      if (sequences[side] >= 0) sides[side].push_back(static_cast<std::size_t>(sequences[side]));
  }
  return {{"chosen", described(data.sequences, sides[0], tokenizer)},
          {"rejected", described(data.sequences, sides[1], tokenizer)}};
}

/// A stand-in as long as an item's longest sequence, for the plan of batches.
std::vector<Sequence> lengths_of(const PreferenceData& data) {
  std::vector<Sequence> stands_in;
  for (const PreferenceItem& item : data.items) {
    std::size_t longest = 0;
    for (const std::int64_t sequence : {item.chosen, item.rejected})
      if (sequence >= 0) longest = std::max(longest, data.sequences[static_cast<std::size_t>(sequence)].length());
    stands_in.push_back({{}, std::vector<text::TokenId>(longest), 0});
  }
  return stands_in;
}

ModelSize run(const PreferenceJob& job, const RunHooks& hooks) {
  check(job);
  use_threads(job.threads);
  const torch::Device device = device_of(job.training.device);
  expect_same_work(Processes::of_environment(), "preferences", job, {job.policy});
  CallModule policy = load_call_module(job.policy);
  policy.decoder->to(device);
  policy.decoder->recomputes_layers = job.training.recompute;
  const std::string precision = compared_precision(job.training.precision);
  // Before the trainer: a checkpoint would replace the weights that samples and reference come from.
  const PreferenceData data = read(job, policy, hooks);
  hooks.metric("preferences", -1, static_cast<double>(data.items.size()));
  const Processes& processes = Processes::of_environment();
  std::vector<float> reference;
  if (job.algorithm.front().wants_reference())
    reference = all_sequence_log_probs(*policy.decoder, data.sequences,
                                       2 * static_cast<std::size_t>(job.training.batch_size), processes, precision);
  const std::vector<task::Example> validation =
      validation_examples(job.dataset, job.validation_limit, job.training.max_rejected_share);

  const ParameterGroups groups({decoder_group(*policy.decoder)});
  EpochBatches batches(lengths_of(data), job.training, job.seed);
  Trainer trainer(groups, job.training, batches.total_steps(), job.seed, job.work, hooks);
  trainer.describe_batches_with(
      [&](std::int64_t step) { return described_pairs(data, batches.at(step), policy.tokenizer); });
  trainer.share_with(processes);
  DataParallel gradients(groups, std::min(job.threads, static_cast<std::int64_t>(job.algorithm.size())));
  InstancePool<host::PreferenceCall> instances(job.algorithm);
  const auto validate = [&](std::int64_t step) {
    if (!validation.empty())
      hooks.metric("validation_exact_match", step,
                   exact_match_share(*policy.decoder, policy.tokenizer, policy.contract, validation));
  };
  trainer.run("preferences", [&](std::int64_t step) {
    if (job.validation_steps > 0 && step % job.validation_steps == 0) validate(step);
    const std::vector<std::size_t>& batch = batches.at(step);
    for (const std::size_t item : batch)
      for (const std::int64_t sequence : {data.items[item].chosen, data.items[item].rejected})
        if (sequence >= 0)
          trainer.saw_tokens(static_cast<std::int64_t>(data.sequences[static_cast<std::size_t>(sequence)].length()));
    const host::PreferenceStep now{weight_of(data, batch), step, batches.total_steps()};
    const auto parts = gradients.parts(processes.share(batch), job.training.micro_batch_size);
    std::vector<MetricMap> of_part(parts.size());
    const double loss = gradients.accumulate(parts.size(), [&](std::size_t part) {
      const InstancePool<host::PreferenceCall>::Lease algorithm(instances);
      return preference_loss(*algorithm, *policy.decoder, data, parts[part], reference, now, precision, of_part[part]);
    });
    MetricMap metrics;
    for (const MetricMap& part : of_part)
      for (const auto& [name, value] : part) metrics[name] += value;
    for (const auto& [name, value] : processes.sum(metrics)) hooks.metric(name, step, value);
    return loss;
  });
  trainer.use_kept_weights();
  validate(-1);
  save_call_module(job.output, *policy.decoder, policy.tokenizer, policy.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize learn_preferences(const PreferenceJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
