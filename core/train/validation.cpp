#include "train/validation.h"

#include "train/reference_sampling.h"

namespace retort::train {

std::vector<task::Example> validation_examples(const std::filesystem::path& dataset, std::int64_t limit) {
  std::vector<task::Example> chosen;
  const std::filesystem::path file = dataset / "validation.jsonl";
  if (limit <= 0 || !std::filesystem::exists(file)) return chosen;
  for (task::Example& example : task::read_split(file).examples)
    if (example.calls && static_cast<std::int64_t>(chosen.size()) < limit) chosen.push_back(std::move(example));
  return chosen;
}

double exact_match_share(DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
                         const std::vector<task::Example>& examples, std::int64_t max_new_tokens) {
  if (examples.empty()) return 0;
  std::vector<std::vector<text::TokenId>> prompts;
  for (const task::Example& example : examples) prompts.push_back(contract.prompt(tokenizer, example.utterance));
  const auto responses =
      ref_sample(decoder, prompts, {.max_new_tokens = max_new_tokens, .end_token = contract.end_token(tokenizer)});
  std::size_t exact = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const task::ParsedResponse parsed = contract.parse(tokenizer, responses[i]);
    const auto* calls = std::get_if<std::vector<task::Call>>(&parsed);
    if (calls != nullptr && task::exact_match(*calls, *examples[i].calls)) ++exact;
  }
  return static_cast<double>(exact) / static_cast<double>(examples.size());
}

}  // namespace retort::train
