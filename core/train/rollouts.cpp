#include "train/rollouts.h"

#include <algorithm>
#include <numeric>
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

std::int64_t context_of(const CallModule& policy, const std::vector<Sequence>& prompts,
                        const RolloutSettings& settings) {
  const std::int64_t most = policy.decoder->config().max_positions;
  const std::int64_t turns = std::max<std::int64_t>(settings.max_turns, 1);
  return std::min(most, longest_rollout_prompt(prompts) + turns * settings.max_new_tokens +
                            (turns - 1) * settings.max_result_tokens);
}

void check_turns(const CallModule& policy, const std::vector<task::Example>& examples,
                 const RolloutSettings& settings) {
  if (settings.max_turns < 1)
    throw std::invalid_argument("max_turns: expected at least 1, found " + std::to_string(settings.max_turns));
  if (settings.max_turns == 1) return;
  if (settings.environment == nullptr)
    throw std::invalid_argument("max_turns: expected an environment that executes the calls between turns, found none");
  expect_tool_turns(policy.contract, policy.tokenizer, examples);
}

/// Appends tokens to a response: of the policy's own, or read by it.
void append_tokens(Sequence& sequence, const std::vector<text::TokenId>& tokens, bool own) {
  if (sequence.mask.empty()) {
    sequence.mask.assign(sequence.prompt.size(), 0.0F);
    sequence.mask.resize(sequence.length(), 1.0F);
  }
  sequence.response.insert(sequence.response.end(), tokens.begin(), tokens.end());
  sequence.mask.resize(sequence.length(), own ? 1.0F : 0.0F);
}

const std::vector<task::Call>* calls_in(const SampledAnswer& answer) {
  const auto* calls = std::get_if<std::vector<task::Call>>(&answer.response);
  return calls != nullptr && !calls->empty() ? calls : nullptr;
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
      context_(context_of(policy, prompts, settings)),
      engine_(*policy.decoder, threads, context_, settings.precision) {
  check_turns(policy, examples, settings);
}

RolloutBatch RolloutSampler::sample(std::span<const std::size_t> batch, std::uint64_t seed, std::size_t first) {
  RolloutBatch rollouts = first_turns(batch, seed, first);
  if (settings_.max_turns > 1) further_turns(rollouts, seed, first);
  return rollouts;
}

std::vector<runtime::Rollout> RolloutSampler::answers(std::span<const std::vector<text::TokenId>> asked,
                                                      std::span<const std::uint64_t> numbers, std::int64_t group_size,
                                                      std::uint64_t seed) {
  return engine_.sample(asked, {.temperature = settings_.temperature,
                                .max_new_tokens = settings_.max_new_tokens,
                                .end_token = policy_.contract.end_token(policy_.tokenizer),
                                .group_size = group_size,
                                .seed = seed,
                                .numbers = numbers,
                                .grammar = grammar_.get()});
}

RolloutBatch RolloutSampler::first_turns(std::span<const std::size_t> batch, std::uint64_t seed, std::size_t first) {
  const auto group = static_cast<std::size_t>(settings_.group_size);
  std::vector<std::vector<text::TokenId>> asked;
  std::vector<std::uint64_t> numbers(batch.size());
  std::iota(numbers.begin(), numbers.end(), static_cast<std::uint64_t>(first));
  for (const std::size_t prompt : batch) asked.push_back(prompts_[prompt].prompt);
  std::vector<runtime::Rollout> sampled = answers(asked, numbers, settings_.group_size, seed);
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

/// Executes the row's calls, if it made some. True where it is to answer again: the results stand behind its response.
bool RolloutSampler::goes_on(RolloutBatch& rollouts, std::size_t row, std::int64_t turn,
                             std::unique_ptr<ToolTurns>& world) const {
  SampledAnswer& answer = rollouts.answers[row];
  Sequence& sequence = rollouts.sequences[row];
  const std::vector<task::Call>* calls = calls_in(answer);
  if (calls == nullptr) return false;
  if (!world) world = std::make_unique<ToolTurns>(*settings_.environment, *answer.example);
  world->execute(*calls);
  answer.execution = world->execution();
  if (turn == settings_.max_turns) return false;
  const std::vector<text::TokenId> results =
      tokens_behind_answer(policy_.contract, policy_.tokenizer, world->conversation());
  if (static_cast<std::int64_t>(sequence.length() + results.size()) >= context_) {
    rollouts.finished[row] = false;
    return false;
  }
  append_tokens(sequence, results, false);
  rollouts.log_probs[row].resize(sequence.response.size(), 0.0F);
  const std::vector<task::Message>& said = world->conversation().messages;
  answer.turns.assign(said.begin() + static_cast<std::ptrdiff_t>(answer.example->messages.size()), said.end());
  return true;
}

void RolloutSampler::further_turns(RolloutBatch& rollouts, std::uint64_t seed, std::size_t first) {
  const std::uint64_t first_row = first * static_cast<std::uint64_t>(settings_.group_size);
  std::vector<std::unique_ptr<ToolTurns>> worlds(rollouts.answers.size());
  std::vector<std::size_t> open(worlds.size());
  std::iota(open.begin(), open.end(), std::size_t{0});
  for (std::int64_t turn = 1; !open.empty(); ++turn) {
    std::vector<std::size_t> going;
    std::vector<std::uint64_t> numbers;
    std::vector<std::vector<text::TokenId>> asked;
    for (const std::size_t row : open) {
      if (!goes_on(rollouts, row, turn, worlds[row])) {
        worlds[row].reset();
        continue;
      }
      const Sequence& sequence = rollouts.sequences[row];
      going.push_back(row);
      numbers.push_back(first_row + row);
      asked.push_back(sequence.prompt);
      asked.back().insert(asked.back().end(), sequence.response.begin(), sequence.response.end());
    }
    const std::uint64_t of_turn = SeededSequence(seed, 0x7475726EULL + static_cast<std::uint64_t>(turn)).next();
    const std::vector<runtime::Rollout> sampled = answers(asked, numbers, 1, of_turn);
    for (std::size_t i = 0; i < going.size(); ++i) {
      const std::size_t row = going[i];
      SampledAnswer& answer = rollouts.answers[row];
      answer.response = parse_answer(policy_, sampled[i].tokens, worlds[row]->conversation());
      answer.text = policy_.tokenizer.decode(sampled[i].tokens, true);
      append_tokens(rollouts.sequences[row], sampled[i].tokens, true);
      rollouts.log_probs[row].insert(rollouts.log_probs[row].end(), sampled[i].log_probabilities.begin(),
                                     sampled[i].log_probabilities.end());
      rollouts.finished[row] = sampled[i].finished;
    }
    open = std::move(going);
  }
}

}  // namespace retort::train
