#include "train/prompt_tags.h"

#include "task/prompt_tags.h"

namespace retort::train {

void add_prompt_tags(std::vector<Sequence>& sequences, const task::PromptContract& contract,
                     const text::Tokenizer& tokenizer, double weight) {
  if (weight == 0) return;
  const task::PromptContract taught = contract.with_tag_weight(weight);  // or why it cannot be
  const task::CallEnvelope envelope = taught.envelope(tokenizer);
  const text::TokenId none = envelope.no_call.front().token;
  for (Sequence& sequence : sequences) {
    sequence.tags = task::prompt_tags(sequence.prompt, sequence.response, tokenizer, none, envelope.conjunction);
    sequence.tag_weight = static_cast<float>(weight);
  }
}

}  // namespace retort::train
