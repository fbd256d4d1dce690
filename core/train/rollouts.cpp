#include "train/rollouts.h"

#include "host/base/utf8.h"
#include "train/reference_sampling.h"

namespace retort::train {

task::ParsedResponse parse_answer(const CallModule& policy, const std::vector<text::TokenId>& tokens) {
  std::string bytes;
  for (const text::TokenId token : tokens) bytes += policy.tokenizer.token_bytes(token);
  if (host::replace_invalid_utf8(bytes) != bytes) return task::Malformed{"its bytes are not UTF-8"};
  return policy.contract.parse(policy.tokenizer, tokens);
}

RolloutSampler::RolloutSampler(const CallModule& policy, const std::vector<task::Example>& examples,
                               const std::vector<Sequence>& prompts, const RolloutSettings& settings,
                               std::int64_t threads)
    : policy_(policy), examples_(examples), prompts_(prompts), settings_(settings), threads_(threads) {}

RolloutBatch RolloutSampler::sample(std::span<const std::size_t> batch, std::uint64_t seed) {
  const auto group = static_cast<std::size_t>(settings_.group_size);
  std::vector<std::vector<text::TokenId>> asked;
  for (const std::size_t prompt : batch) asked.insert(asked.end(), group, prompts_[prompt].prompt);
  const text::TokenId end = policy_.contract.end_token(policy_.tokenizer);
  auto responses = ref_sample(*policy_.decoder, asked,
                              {.temperature = settings_.temperature,
                               .max_new_tokens = settings_.max_new_tokens,
                               .end_token = end,
                               .seed = seed,
                               .batch_size = 512});
  RolloutBatch rollouts;
  for (std::size_t row = 0; row < asked.size(); ++row) {
    const Sequence& prompt = prompts_[batch[row / group]];
    rollouts.log_probs.emplace_back();
    rollouts.finished.push_back(responses[row].back() == end);
    rollouts.answers.push_back({&examples_[prompt.example], row / group, parse_answer(policy_, responses[row]),
                                policy_.tokenizer.decode(responses[row], true)});
    rollouts.sequences.push_back({prompt.prompt, std::move(responses[row]), prompt.example});
  }
  return rollouts;
}

}  // namespace retort::train
