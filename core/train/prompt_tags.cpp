#include "train/prompt_tags.h"

#include <stdexcept>

#include "task/prompt_tags.h"

namespace retort::train {

void add_prompt_tags(std::vector<Sequence>& sequences, const task::PromptContract& contract,
                     const text::Tokenizer& tokenizer, double weight) {
  if (weight == 0) return;
  const auto none = tokenizer.find("<|none|>");
  if (!none || contract.format() != "functional_tokens")
    throw std::invalid_argument("tag_weight: expected 0 where calls are written as \"" + contract.format() +
                                "\", found " + std::to_string(weight) +
                                ": arguments have tokens of their own in the form functional_tokens alone");
  const std::string conjunction = contract.envelope(tokenizer).conjunction;
  for (Sequence& sequence : sequences) {
    sequence.tags = task::prompt_tags(sequence.prompt, sequence.response, tokenizer, *none, conjunction);
    sequence.tag_weight = static_cast<float>(weight);
  }
}

}  // namespace retort::train
