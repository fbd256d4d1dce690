#include "train/policy_gradient.h"

#include <numeric>
#include <optional>
#include <stdexcept>

#include "train/corpus.h"
#include "train/data_parallel.h"
#include "train/epochs.h"
#include "train/instance_pool.h"
#include "train/model_weights.h"
#include "train/policy_batch.h"
#include "train/rl_loss.h"
#include "train/teacher_reward.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace retort::train {
namespace {

/// The policy, what is trained with it, and one batch of rollouts at a time.
class PolicyLearner {
 public:
  PolicyLearner(const PolicyGradientJob& job, const CallModule& policy, DecoderModule* reference,
                DecoderModule* teacher, const ValueHead* value_head, const ParameterGroups& groups,
                PolicyBatches batches)
      : job_(job),
        policy_(policy),
        reference_(reference),
        teacher_(teacher),
        groups_(groups),
        batches_(std::move(batches)),
        instances_(job.algorithm),
        options_{job.temperature, first().wants(RETORT_SIGNAL_ENTROPIES), value_head} {}

  /// New rollouts of the prompts `batch`, with everything that an algorithm asked for.
  void begin(const std::vector<std::size_t>& batch, std::int64_t number, MetricMap& metrics) {
    const std::uint64_t seed = job_.seed ^ (static_cast<std::uint64_t>(number) << 20);
    batch_ = batches_.make(batch, seed, metrics);
    host::RlStep& step = batch_.step;
    look_at_rollouts(step);
    metrics["sampler_difference"] = mean_distance(step.old_log_probs, step.sampler_log_probs, step.mask);
    const bool by_token = first().wants(RETORT_SIGNAL_TOKEN_REWARDS);
    std::vector<float> from_teacher;
    if (teacher_ != nullptr) {
      metrics["teacher_divergence"] = mean_difference(step.old_log_probs, teacher_log_probs_, step.mask);
      from_teacher =
          teacher_rewards(step.old_log_probs, teacher_log_probs_, teacher_weight(first(), true, job_.teacher_weight));
      if (by_token) add_rewards(step.token_rewards, from_teacher);
    }
    first().advantages(step, metrics);
    if (teacher_ != nullptr && !by_token) add_rewards(step.advantages, from_teacher);
    metrics["trained_rows"] = std::accumulate(step.keep.begin(), step.keep.end(), 0.0);
    updates_ = host::rl_updates(step, first().wanted(), seed ^ 0x6D696E69ULL);
  }

  /// Adds the gradient of one of the batch's updates to the parameters'; returns its loss.
  double accumulate(std::size_t number, MetricMap& metrics) {
    const host::RlUpdate& update = updates_.at(number);
    if (update.rows.empty()) return 0;
    const auto threads = std::min<std::int64_t>(job_.threads, static_cast<std::int64_t>(job_.algorithm.size()));
    DataParallel gradients(groups_, threads);
    const auto rows = static_cast<std::int64_t>(update.rows.size());
    std::int64_t most = std::max<std::int64_t>(1, (rows + threads - 1) / threads);
    if (job_.training.micro_batch_size > 0) most = std::min(most, job_.training.micro_batch_size);
    const auto parts = host::rl_parts(update, first().wanted(), most);
    std::vector<MetricMap> of_part(parts.size());
    const double loss = gradients.accumulate(parts.size(), [&](std::size_t part) {
      const std::vector<std::size_t> chosen(parts[part].begin(), parts[part].end());
      const ResponseSignals now =
          response_signals(*policy_.decoder, batch_.sequences, chosen, batch_.step.positions, options_);
      const InstancePool<host::RlCall>::Lease algorithm(instances_);
      return rl_loss(*algorithm, batch_.step, update, parts[part], now, of_part[part]);
    });
    for (const MetricMap& part : of_part)
      for (const auto& [name, value] : part) metrics[name] += value;
    return loss;
  }

 private:
  /// What the policy at the begin of the step, and the reference, say of the rollouts; in parts of micro_batch_size.
  void look_at_rollouts(host::RlStep& step) {
    const torch::NoGradGuard no_grad;
    const std::size_t all = batch_.sequences.size();
    teacher_log_probs_.clear();
    const auto micro = static_cast<std::size_t>(std::max<std::int64_t>(job_.training.micro_batch_size, 0));
    const auto append = [](std::vector<float>& to, const torch::Tensor& part) {
      const std::vector<float> values = values_of(part);
      to.insert(to.end(), values.begin(), values.end());
    };
    for (std::size_t begin = 0, end = 0; begin < all; begin = end) {
      end = micro == 0 ? all : std::min(all, begin + micro);
      std::vector<std::size_t> rows(end - begin);
      std::iota(rows.begin(), rows.end(), begin);
      const ResponseSignals old =
          response_signals(*policy_.decoder, batch_.sequences, rows, step.positions,
                           {.temperature = job_.temperature, .value_head = options_.value_head});
      append(step.old_log_probs, old.log_probs);
      append(step.old_values, old.values);
      const auto said_by = [&](DecoderModule& model) {
        return response_signals(model, batch_.sequences, rows, step.positions, {.temperature = job_.temperature})
            .log_probs;
      };
      if (reference_ != nullptr) append(step.reference_log_probs, said_by(*reference_));
      if (teacher_ != nullptr) append(teacher_log_probs_, said_by(*teacher_));
    }
  }
  const host::RlCall& first() const { return job_.algorithm.front(); }

  const PolicyGradientJob& job_;
  const CallModule& policy_;
  DecoderModule *reference_, *teacher_;
  const ParameterGroups& groups_;
  PolicyBatches batches_;
  InstancePool<host::RlCall> instances_;
  SignalOptions options_;
  PolicyBatch batch_;
  std::vector<float> teacher_log_probs_;  ///< [R,T]
  std::vector<host::RlUpdate> updates_;
};

void check(const PolicyGradientJob& job) {
  if (job.algorithm.empty()) throw std::invalid_argument("policy gradient: expected an algorithm, found none");
  if (!(job.temperature > 0))
    throw std::invalid_argument("temperature: expected a number above 0, found " + std::to_string(job.temperature));
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
  const host::RlCall& algorithm = job.algorithm.front();
  CallModule policy = load_call_module(job.policy);
  std::unique_ptr<DecoderModule> reference;
  if (algorithm.wants(RETORT_SIGNAL_REFERENCE_LOG_PROBS)) reference = load_call_module(job.policy).decoder;
  std::unique_ptr<DecoderModule> teacher;
  if (job.teacher) teacher = load_teacher(*job.teacher, policy);
  std::optional<ValueHead> value_head;
  if (algorithm.wants(RETORT_SIGNAL_VALUES)) value_head.emplace(policy.decoder->config().hidden_size, job.seed);
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
  trainer.checkpoint_at_multiples_of(updates);
  PolicyLearner learner(job, policy, reference.get(), teacher.get(), value_head ? &*value_head : nullptr, groups,
                        PolicyBatches(job, policy, corpus.examples, prompts));
  trainer.run("policy gradient", [&](std::int64_t step) {
    const std::int64_t batch = step / updates;
    MetricMap metrics;
    if (step % updates == 0) {
      if (!validation.empty() && job.validation_steps > 0 && batch % job.validation_steps == 0)
        hooks.metric("validation_exact_match", step,
                     exact_match_share(*policy.decoder, policy.tokenizer, policy.contract, validation));
      learner.begin(batches.at(batch), batch, metrics);
    }
    const double loss = learner.accumulate(static_cast<std::size_t>(step % updates), metrics);
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
