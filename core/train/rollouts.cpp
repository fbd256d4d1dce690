#include "train/rollouts.h"

#include <algorithm>
#include <stdexcept>

#include "grammar/program_builder.h"
#include "host/base/utf8.h"

namespace retort::train {

namespace {

std::int64_t longest_rollout_prompt(const std::vector<Sequence>& prompts) {
  std::size_t longest = 1;
  for (const Sequence& sequence : prompts) longest = std::max(longest, sequence.prompt.size());
  return static_cast<std::int64_t>(longest);
}

std::unique_ptr<grammar::Grammar> call_grammar(const CallModule& policy, const std::vector<task::Example>& examples) {
  for (std::size_t i = 0; i < examples.size(); ++i)
    if (examples[i].tools && policy.contract.form().takes_any_tools())
      throw std::invalid_argument("grammar: rollouts are limited by the task's tools, and row " + std::to_string(i) +
                                  " brings tools of its own; leave the grammar out");
  return std::make_unique<grammar::Grammar>(grammar::envelope_program(policy.contract.envelope(policy.tokenizer)),
                                            std::make_shared<const grammar::Vocabulary>(policy.tokenizer));
}

}  // namespace

task::ParsedResponse parse_answer(const CallModule& policy, const std::vector<text::TokenId>& tokens,
                                  const task::Conversation& asked) {
  std::string bytes;
  for (const text::TokenId token : tokens) bytes += policy.tokenizer.token_bytes(token);
  if (host::replace_invalid_utf8(bytes) != bytes) return task::Malformed{"its bytes are not UTF-8"};
  return policy.contract.parse(policy.tokenizer, tokens, asked);
}

RolloutSampler::RolloutSampler(const CallModule& policy, const std::vector<task::Example>& examples,
                               const std::vector<Sequence>& prompts, const RolloutSettings& settings,
                               std::int64_t threads)
    : policy_(policy),
      examples_(examples),
      prompts_(prompts),
      settings_(settings),
      grammar_(settings.grammar ? call_grammar(policy, examples) : nullptr),
      engine_(*policy.decoder, threads, longest_rollout_prompt(prompts) + settings.max_new_tokens, settings.precision) {
}

RolloutBatch RolloutSampler::sample(std::span<const std::size_t> batch, std::uint64_t seed) {
  const auto group = static_cast<std::size_t>(settings_.group_size);
  std::vector<std::vector<text::TokenId>> asked;
  for (const std::size_t prompt : batch) asked.push_back(prompts_[prompt].prompt);
  std::vector<runtime::Rollout> sampled =
      engine_.sample(asked, {.temperature = settings_.temperature,
                             .max_new_tokens = settings_.max_new_tokens,
                             .end_token = policy_.contract.end_token(policy_.tokenizer),
                             .group_size = settings_.group_size,
                             .seed = seed,
                             .grammar = grammar_.get()});
  RolloutBatch rollouts;
  for (std::size_t row = 0; row < sampled.size(); ++row) {
    const Sequence& prompt = prompts_[batch[row / group]];
    runtime::Rollout& response = sampled[row];
    rollouts.answers.push_back({&examples_[prompt.example], row / group,
                                parse_answer(policy_, response.tokens, examples_[prompt.example]),
                                policy_.tokenizer.decode(response.tokens, true)});
    rollouts.sequences.push_back({prompt.prompt, std::move(response.tokens), prompt.example});
    rollouts.log_probs.push_back(std::move(response.log_probabilities));
    rollouts.finished.push_back(response.finished);
  }
  return rollouts;
}

}  // namespace retort::train
