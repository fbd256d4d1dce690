#include "train/policy_gradient.h"

#include <numeric>
#include <optional>
#include <stdexcept>

#include "host/plugin/stop_request.h"
#include "train/corpus.h"
#include "train/data_parallel.h"
#include "train/device.h"
#include "train/epochs.h"
#include "train/instance_pool.h"
#include "train/model_weights.h"
#include "train/policy_batch.h"
#include "train/policy_diagnosis.h"
#include "train/processes.h"
#include "train/rl_loss.h"
#include "train/same_work.h"
#include "train/teacher_reward.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

/// This process's share of an update's rows: whole groups where the algorithm asked for these.
std::vector<std::int64_t> own_rows(const host::RlUpdate& update, const retort_rl_requirements& wanted,
                                   const Processes& processes) {
  const std::vector<std::int64_t>& rows = update.rows;
  const bool whole_groups = (wanted.flags & RETORT_RL_WHOLE_GROUPS) != 0;
  std::vector<std::size_t> borders;  // of what stays together
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!whole_groups || i == 0 || rows[i] / wanted.group_size != rows[i - 1] / wanted.group_size) borders.push_back(i);
  borders.push_back(rows.size());
  const Share own = processes.share(borders.size() - 1);
  return {rows.begin() + static_cast<std::ptrdiff_t>(borders[own.begin]),
          rows.begin() + static_cast<std::ptrdiff_t>(borders[own.end])};
}

/// The policy, what is trained with it, and one batch of rollouts at a time. Of several processes each samples, scores
/// and looks at its share of the prompts; then all know the whole batch, so that advantages, what is kept and what is
/// refilled are those of one process, and each adds the gradient of its share of an update's rows.
class PolicyLearner {
 public:
  PolicyLearner(const PolicyGradientJob& job, const CallModule& policy, DecoderModule* reference,
                DecoderModule* teacher, const ValueHead* value_head, const ParameterGroups& groups,
                PolicyBatches batches, const RunHooks& hooks)
      : job_(job),
        policy_(policy),
        reference_(reference),
        teacher_(teacher),
        groups_(groups),
        batches_(std::move(batches)),
        instances_(job.algorithm),
        hooks_(hooks),
        diagnosis_(hooks),
        options_{job.temperature, first().wants(RETORT_SIGNAL_ENTROPIES), value_head,
                 compared_precision(job.training.precision)} {}

  /// New rollouts of the prompts `batch`, with everything that an algorithm asked for.
  void begin(const std::vector<std::size_t>& batch, std::int64_t number, MetricMap& metrics) {
    const std::uint64_t seed = seed_of(number);
    batch_ = ask(batch, seed, metrics);
    if (batch_.step.prompts == 0)
      throw std::runtime_error("the reward could score no group of a whole batch; the first reason: " +
                               batch_.unscored);
    add_diagnosis(metrics);
    if (first().wanted().refill_rounds > 0) refill(batch, seed, metrics);
    advantages(batch_, metrics);
    metrics["trained_rows"] = std::accumulate(batch_.step.keep.begin(), batch_.step.keep.end(), 0.0);
    begin_updates(number);
    MetricMap looked_at = metrics;
    if (teacher_ != nullptr) looked_at.erase("reward_spread");  // it teaches where all rewards are equal, too
    diagnosis_.look(number, looked_at);
  }

  /// The batch in whose middle a run was stopped, where it is not this one already.
  void resume(std::int64_t number) {
    if (number_ == number) return;
    batch_ = load_policy_batch(shared_file(number), number);
    begin_updates(number);
  }
  void save() const { save_policy_batch(shared_file(number_), batch_, number_); }

  /// Of the sequences that the batch's update looks at.
  std::int64_t tokens(std::size_t number) const {
    std::size_t sum = 0;
    for (const std::int64_t row : updates_.at(number).rows)
      sum += batch_.sequences[static_cast<std::size_t>(row)].length();
    return static_cast<std::int64_t>(sum);
  }

  /// The rows of one of the batch's updates, with what they earned.
  nlohmann::json description(std::size_t number) const {
    const std::vector<std::int64_t>& rows = updates_.at(number).rows;
    nlohmann::json all =
        described(batch_.sequences, std::vector<std::size_t>(rows.begin(), rows.end()), policy_.tokenizer);
    for (std::size_t i = 0; i < rows.size(); ++i)
      all[i]["reward"] = batch_.step.rewards.at(static_cast<std::size_t>(rows[i]));
    return all;
  }

  /// Adds the gradient of one of the batch's updates to the parameters'; returns its loss.
  double accumulate(std::size_t number, MetricMap& metrics) {
    const host::RlUpdate& update = updates_.at(number);
    if (update.rows.empty()) return 0;
    host::RlUpdate own = update;
    own.rows = own_rows(update, first().wanted(), processes_);
    const auto threads = std::min<std::int64_t>(job_.threads, static_cast<std::int64_t>(job_.algorithm.size()));
    DataParallel gradients(groups_, threads);
    const auto rows = static_cast<std::int64_t>(own.rows.size());
    std::int64_t most = std::max<std::int64_t>(1, (rows + threads - 1) / threads);
    if (job_.training.micro_batch_size > 0) most = std::min(most, job_.training.micro_batch_size);
    const auto parts = host::rl_parts(own, first().wanted(), most);
    std::vector<MetricMap> of_part(parts.size());
    const double loss = gradients.accumulate(parts.size(), [&](std::size_t part) {
      host::throw_if_stop_requested();
      const std::vector<std::size_t> chosen(parts[part].begin(), parts[part].end());
      const ResponseSignals now =
          response_signals(*policy_.decoder, batch_.sequences, chosen, batch_.step.positions, options_);
      const InstancePool<host::RlCall>::Lease algorithm(instances_);
      return rl_loss(*algorithm, batch_.step, update, parts[part], now, of_part[part]);
    });
    MetricMap reported;
    for (const MetricMap& part : of_part)
      for (const auto& [name, value] : part) reported[name] += value;
    for (const auto& [name, value] : processes_.sum(reported)) metrics[name] += value;
    return loss;
  }

 private:
  /// One for each batch: a run that is killed before its checkpoint is written goes on from the last one and its batch.
  std::filesystem::path shared_file(std::int64_t number) const {
    return job_.work / ("rollouts-" + std::to_string(number) + ".json");
  }
  std::uint64_t seed_of(std::int64_t number) const { return job_.seed ^ (static_cast<std::uint64_t>(number) << 20); }
  void begin_updates(std::int64_t number) {
    number_ = number;
    updates_ = host::rl_updates(batch_.step, first().wanted(), seed_of(number) ^ 0x6D696E69ULL);
  }

  /// Rollouts, and what policy, reference and teacher say of them.
  PolicyBatch ask(std::span<const std::size_t> prompts, std::uint64_t seed, MetricMap& metrics) {
    const Share share = processes_.share(prompts.size());
    MetricMap of_own;
    PolicyBatch own = batches_.make(prompts.subspan(share.begin, share.end - share.begin), share.begin, seed, of_own);
    look_at_rollouts(own);
    PolicyBatch asked = of_all_processes(processes_, std::move(own), of_own, metrics);
    if (asked.step.prompts == 0) return asked;
    metrics["policy_entropy"] =
        mean_difference(asked.entropies, std::vector<float>(asked.entropies.size(), 0.0F), asked.step.mask);
    asked.entropies.clear();
    metrics["sampler_difference"] =
        mean_distance(asked.step.old_log_probs, asked.step.sampler_log_probs, asked.step.mask);
    if (teacher_ == nullptr) return asked;
    metrics["teacher_divergence"] = mean_difference(asked.step.old_log_probs, asked.teacher_log_probs, asked.step.mask);
    if (first().wants(RETORT_SIGNAL_TOKEN_REWARDS)) add_rewards(asked.step.token_rewards, from_teacher(asked));
    return asked;
  }
  std::vector<float> from_teacher(const PolicyBatch& batch) const {
    return teacher_rewards(batch.step.old_log_probs, batch.teacher_log_probs,
                           teacher_weight(first(), true, job_.teacher_weight));
  }
  void advantages(PolicyBatch& batch, MetricMap& metrics) const {
    first().advantages(batch.step, metrics);
    if (teacher_ != nullptr && !first().wants(RETORT_SIGNAL_TOKEN_REWARDS))
      add_rewards(batch.step.advantages, from_teacher(batch));
  }

  /// Dynamic sampling (DAPO, arXiv 2503.14476, eq. 11): other prompts in place of those with nothing to learn from.
  void refill(const std::vector<std::size_t>& prompts, std::uint64_t seed, MetricMap& metrics) {
    std::vector<std::size_t> asked = prompts;
    MetricMap ignored;
    first().advantages(batch_.step, ignored);
    PolicyBatch kept = kept_groups(batch_);
    const auto missing = [&] {
      return prompts.size() - std::min(prompts.size(), static_cast<std::size_t>(kept.step.prompts));
    };
    std::int64_t round = 0;
    for (; round < first().wanted().refill_rounds && missing() > 0; ++round) {
      const std::uint64_t of_round = seed ^ (static_cast<std::uint64_t>(round + 1) << 52);
      const std::vector<std::size_t> others = other_prompts(batches_.prompts(), asked, missing(), of_round);
      if (others.empty()) break;
      asked.insert(asked.end(), others.begin(), others.end());
      PolicyBatch more = ask(others, of_round, ignored);
      if (more.step.prompts == 0) continue;
      first().advantages(more.step, ignored);
      append(kept, kept_groups(more));
    }
    if (ignored.contains("unscored_prompts")) metrics["unscored_prompts"] += ignored["unscored_prompts"];
    metrics["refill_rounds"] = static_cast<double>(round);
    metrics["refilled_prompts"] = static_cast<double>(asked.size() - prompts.size());
    metrics["missing_prompts"] = static_cast<double>(missing());
    if (kept.step.prompts > 0) batch_ = std::move(kept);
  }

  void add_diagnosis(MetricMap& metrics) const {
    if (reference_ != nullptr)
      metrics["reference_divergence"] =
          mean_difference(batch_.step.old_log_probs, batch_.step.reference_log_probs, batch_.step.mask);
    const std::vector<float>& rewards = batch_.step.rewards;
    if (batch_.step.group_size == 1 && rewards.size() > 1)  // no group to differ in: of all samples (PolicyBatches)
      metrics["reward_spread"] = torch::tensor(rewards, torch::kFloat64).std().item<double>();
  }

  /// What the policy at the begin of the step, and the others, say of the rollouts; in parts of micro_batch_size.
  void look_at_rollouts(PolicyBatch& batch) const {
    const torch::NoGradGuard no_grad;
    host::RlStep& step = batch.step;
    const std::size_t all = batch.sequences.size();
    const auto micro = static_cast<std::size_t>(std::max<std::int64_t>(job_.training.micro_batch_size, 0));
    const auto append = [](std::vector<float>& to, const torch::Tensor& part) {
      const std::vector<float> values = values_of(part);
      to.insert(to.end(), values.begin(), values.end());
    };
    for (std::size_t begin = 0, end = 0; begin < all; begin = end) {
      hooks_.throw_if_stopped();
      end = micro == 0 ? all : std::min(all, begin + micro);
      std::vector<std::size_t> rows(end - begin);
      std::iota(rows.begin(), rows.end(), begin);
      const ResponseSignals old = response_signals(*policy_.decoder, batch.sequences, rows, step.positions,
                                                   {.temperature = job_.temperature,
                                                    .entropies = true,
                                                    .value_head = options_.value_head,
                                                    .precision = options_.precision});
      append(step.old_log_probs, old.log_probs);
      append(step.old_values, old.values);
      append(batch.entropies, old.entropies);
      const auto said_by = [&](DecoderModule& model) {
        return response_signals(model, batch.sequences, rows, step.positions,
                                {.temperature = job_.temperature, .precision = options_.precision})
            .log_probs;
      };
      if (reference_ != nullptr) append(step.reference_log_probs, said_by(*reference_));
      if (teacher_ != nullptr) append(batch.teacher_log_probs, said_by(*teacher_));
    }
  }
  const host::RlCall& first() const { return job_.algorithm.front(); }

  const PolicyGradientJob& job_;
  const CallModule& policy_;
  DecoderModule *reference_, *teacher_;
  const ParameterGroups& groups_;
  PolicyBatches batches_;
  InstancePool<host::RlCall> instances_;
  const RunHooks& hooks_;
  const Processes& processes_ = Processes::of_environment();
  PolicyDiagnosis diagnosis_;
  SignalOptions options_;
  PolicyBatch batch_;
  std::int64_t number_ = -1;  ///< of the batch; -1: none yet
  std::vector<host::RlUpdate> updates_;
};

void check(const PolicyGradientJob& job) {
  if (job.algorithm.empty()) throw std::invalid_argument("policy gradient: expected an algorithm, found none");
  if (!(job.temperature > 0))
    throw std::invalid_argument("temperature: expected a number above 0, found " + std::to_string(job.temperature));
  if (job.max_turns < 1)
    throw std::invalid_argument("max_turns: expected at least 1, found " + std::to_string(job.max_turns));
  if (job.max_result_tokens < 1)
    throw std::invalid_argument("max_result_tokens: expected at least 1, found " +
                                std::to_string(job.max_result_tokens));
  if (job.max_turns > 1 && !job.environment)
    throw std::invalid_argument(
        "max_turns: expected an environment that executes the calls between turns, found none; name one, or set "
        "max_turns to 1");
  std::uint64_t offered = policy_gradient_signals;
  if (job.token_reward || job.teacher) offered |= RETORT_SIGNAL_TOKEN_REWARDS;
  job.algorithm.front().require_offered(offered, "policy gradient on calls");
  teacher_weight(job.algorithm.front(), job.teacher.has_value(), job.teacher_weight);
}

/// The teacher of token rewards. Throws std::invalid_argument where it cannot read what the policy writes.
std::unique_ptr<DecoderModule> load_teacher(const std::filesystem::path& folder, const CallModule& policy) {
  CallModule teacher = load_call_module(folder);
  if (teacher.tokenizer.to_json() != policy.tokenizer.to_json())
    throw std::invalid_argument("teacher '" + folder.string() +
                                "' has another tokenizer than the policy; its log-probabilities are of other tokens");
  if (teacher.decoder->config().max_positions < policy.decoder->config().max_positions)
    throw std::invalid_argument(
        "teacher '" + folder.string() + "' holds " + std::to_string(teacher.decoder->config().max_positions) +
        " tokens, the policy writes up to " + std::to_string(policy.decoder->config().max_positions));
  return std::move(teacher.decoder);
}

ModelSize run(const PolicyGradientJob& job, const RunHooks& hooks) {
  check(job);
  use_threads(job.threads);
  const torch::Device device = device_of(job.training.device);
  expect_same_work(Processes::of_environment(), "policy gradient", job, {job.policy, job.teacher});
  const host::RlCall& algorithm = job.algorithm.front();
  CallModule policy = load_call_module(job.policy);
  std::unique_ptr<DecoderModule> reference;
  if (algorithm.wants(RETORT_SIGNAL_REFERENCE_LOG_PROBS)) reference = load_call_module(job.policy).decoder;
  std::unique_ptr<DecoderModule> teacher;
  if (job.teacher) teacher = load_teacher(*job.teacher, policy);
  for (DecoderModule* model : {policy.decoder.get(), reference.get(), teacher.get()})
    if (model != nullptr) model->to(device);
  policy.decoder->recomputes_layers = job.training.recompute;
  std::optional<ValueHead> value_head;
  if (algorithm.wants(RETORT_SIGNAL_VALUES)) value_head.emplace(policy.decoder->config().hidden_size, job.seed, device);
  const Corpus corpus = tokenised(read_labelled_rows(job.dataset / "train.jsonl"), policy.contract, policy.tokenizer,
                                  {policy.decoder->config().max_positions, 0, job.training.max_rejected_share}, hooks);
  const std::vector<Sequence>& prompts = corpus.sequences;
  const std::vector<task::Example> validation =
      validation_examples(job.dataset, job.validation_limit, job.training.max_rejected_share);

  ParameterGroups groups({decoder_group(*policy.decoder)});
  if (value_head) groups.add(value_head->group());
  EpochBatches batches(prompts, job.training, job.seed);
  const std::int64_t updates = algorithm.wanted().updates * algorithm.wanted().mini_batches;
  Trainer trainer(groups, job.training, batches.total_steps() * updates, job.seed, job.work, hooks);
  PolicyLearner learner(job, policy, reference.get(), teacher.get(), value_head ? &*value_head : nullptr, groups,
                        PolicyBatches(job, policy, corpus.examples, prompts), hooks);
  trainer.checkpoint_at_multiples_of(updates, [&] { learner.save(); });
  trainer.describe_batches_with(
      [&](std::int64_t step) { return learner.description(static_cast<std::size_t>(step % updates)); });
  trainer.share_with(Processes::of_environment());
  trainer.run("policy gradient", [&](std::int64_t step) {
    const std::int64_t batch = step / updates;
    MetricMap metrics;
    if (step % updates == 0) {
      if (!validation.empty() && job.validation_steps > 0 && batch % job.validation_steps == 0)
        hooks.metric("validation_exact_match", step,
                     exact_match_share(*policy.decoder, policy.tokenizer, policy.contract, validation));
      learner.begin(batches.at(batch), batch, metrics);
    } else {
      learner.resume(batch);
    }
    const auto update = static_cast<std::size_t>(step % updates);
    trainer.saw_tokens(learner.tokens(update));
    const double loss = learner.accumulate(update, metrics);
    for (const auto& [name, value] : metrics) hooks.metric(name, step, value);
    return loss;
  });
  trainer.use_kept_weights();
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
