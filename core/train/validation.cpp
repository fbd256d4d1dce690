#include "train/validation.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <stdexcept>

#include "train/policy_engine.h"

namespace retort::train {

std::vector<task::Example> validation_examples(const std::filesystem::path& dataset, std::int64_t limit,
                                               double max_rejected_share) {
  std::vector<task::Example> chosen;
  const std::filesystem::path file = dataset / "validation.jsonl";
  if (limit <= 0 || !std::filesystem::exists(file)) return chosen;
  for (task::Example& example : task::read_split(file, max_rejected_share).examples)
    if (example.calls && static_cast<std::int64_t>(chosen.size()) < limit) chosen.push_back(std::move(example));
  return chosen;
}

double exact_match_share(DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
                         const std::vector<task::Example>& examples, std::int64_t max_new_tokens) {
  if (examples.empty()) return 0;
  std::vector<std::vector<text::TokenId>> prompts;
  std::vector<const task::Example*> asked;
  std::size_t longest = 1;
  for (const task::Example& example : examples) {
    std::vector<text::TokenId> prompt;
    try {
      prompt = contract.prompt(tokenizer, example);
    } catch (const std::invalid_argument&) {
      continue;  // what the form cannot show is answered wrong
    }
    if (static_cast<std::int64_t>(prompt.size()) >= decoder.config().max_positions) continue;  // no room for an answer
    longest = std::max(longest, prompt.size());
    prompts.push_back(std::move(prompt));
    asked.push_back(&example);
  }
  PolicyEngine engine(decoder, at::get_num_threads(), static_cast<std::int64_t>(longest) + max_new_tokens);
  const auto responses = engine.sample(
      prompts, {.temperature = 0, .max_new_tokens = max_new_tokens, .end_token = contract.end_token(tokenizer)});
  std::size_t exact = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const task::ParsedResponse parsed = contract.parse(tokenizer, responses[i].tokens, *asked[i]);
    const auto* calls = std::get_if<std::vector<task::Call>>(&parsed);
    if (calls != nullptr && task::exact_match(*calls, *asked[i]->calls)) ++exact;
  }
  return static_cast<double>(exact) / static_cast<double>(examples.size());
}

}  // namespace retort::train
