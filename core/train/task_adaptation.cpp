#include "train/task_adaptation.h"

#include "text/extended_tokenizer.h"
#include "train/initialisation.h"
#include "train/prompt_attention.h"

namespace retort::train {
namespace {

/// Rows of `matrix` [V,D] for tokens from `first` on: the mean of the rows of each token's pieces.
void begin_rows(const torch::Tensor& matrix, std::int64_t first, const text::Tokenizer& old,
                const text::Tokenizer& extended) {
  for (std::int64_t id = first; id < extended.vocabulary_size(); ++id) {
    const std::vector<text::TokenId> pieces =
        old.encode(words_of_token(std::string(extended.token(static_cast<text::TokenId>(id)))));
    if (pieces.empty()) continue;
    const torch::Tensor rows = torch::tensor(std::vector<std::int64_t>(pieces.begin(), pieces.end()), torch::kInt64);
    matrix[id].copy_(matrix.index_select(0, rows).mean(0));
  }
}

}  // namespace

CallModule adapt_to_task(const model::ModelFolder& folder, task::PromptContract contract,
                         const std::string& prompt_attention) {
  const text::Tokenizer old = text::Tokenizer::load(folder.path() / "tokenizer.json");
  text::Tokenizer tokenizer = text::with_special_tokens(old, contract.special_tokens());
  const std::unique_ptr<DecoderModule> pretrained = load_decoder(folder);
  model::ModelConfig config = folder.config();
  config.vocabulary_size = std::max(config.vocabulary_size, tokenizer.vocabulary_size());
  const bool own_tokens = !contract.special_tokens().empty();
  if (own_tokens) config.bos_token = -1;  // a prompt begins with <|user|>
  config.eos_token = contract.end_token(tokenizer);
  if (own_tokens) config.pad_token = tokenizer.find("<|pad|>").value_or(-1);

  set_prompt_attention(prompt_attention, contract, tokenizer, config);
  auto decoder = std::make_unique<DecoderModule>(config, 0);
  torch::NoGradGuard no_grad;
  for (const auto& [name, weight] : decoder->weights()) {
    const torch::Tensor& from = pretrained->weight(name);
    torch::Tensor(weight).narrow(0, 0, from.size(0)).copy_(from);
  }
  begin_rows(decoder->weight("model.embed_tokens.weight"), old.vocabulary_size(), old, tokenizer);
  if (!config.tie_word_embeddings) begin_rows(decoder->weight("lm_head.weight"), old.vocabulary_size(), old, tokenizer);
  return {std::move(tokenizer), std::move(contract), std::move(decoder)};
}

}  // namespace retort::train
