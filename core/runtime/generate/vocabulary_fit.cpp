#include "runtime/generate/vocabulary_fit.h"

#include <stdexcept>

namespace retort::runtime {
namespace {

constexpr std::size_t kNamedTokens = 5;

std::string named(text::TokenId token, const text::Tokenizer& tokenizer) {
  return std::to_string(token) + " '" + std::string(tokenizer.token(token)) + "'";
}

}  // namespace

VocabularyFit vocabulary_fit(const model::ModelConfig& config, const text::Tokenizer& tokenizer,
                             const std::string& folder) {
  VocabularyFit fit{config.vocabulary_size, tokenizer.vocabulary_size(), {}};
  for (std::int64_t id = fit.rows; id < fit.ids; ++id) {
    const auto token = static_cast<text::TokenId>(id);
    if (tokenizer.token(token).empty()) continue;
    if (!tokenizer.is_added(token))
      throw std::invalid_argument(folder + ": expected a tokenizer.json whose vocabulary has ids below vocab_size, " +
                                  std::to_string(fit.rows) + ", found " + named(token, tokenizer) +
                                  "; the tokenizer belongs to another model");
    fit.without_row.push_back(token);
  }
  return fit;
}

std::string missing_rows_text(const VocabularyFit& fit, const text::Tokenizer& tokenizer) {
  if (fit.without_row.empty()) return "";
  std::string text = "tokenizer.json has " + std::to_string(fit.without_row.size()) +
                     (fit.without_row.size() == 1 ? " added token" : " added tokens") +
                     " without a row in the embedding, which has " + std::to_string(fit.rows) + ": ";
  for (std::size_t i = 0; i < fit.without_row.size() && i < kNamedTokens; ++i)
    text += (i > 0 ? ", " : "") + named(fit.without_row[i], tokenizer);
  return text + (fit.without_row.size() > kNamedTokens ? ", …" : "") + "; text with them is refused";
}

void require_rows(std::span<const text::TokenId> tokens, const text::Tokenizer& tokenizer,
                  const model::ModelConfig& config) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < config.vocabulary_size) continue;
    throw std::invalid_argument("the prompt has the token " + named(tokens[i], tokenizer) + " at place " +
                                std::to_string(i) + ", which has no row in the embedding (vocab_size " +
                                std::to_string(config.vocabulary_size) + "); leave it out of the text");
  }
}

}  // namespace retort::runtime
