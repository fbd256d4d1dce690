// Whether a tokenizer's ids and an embedding's rows belong together. Families pad the embedding to a round number, and
// people add tokens to a tokenizer without adding rows: neither keeps a model from being used.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/model_config.h"
#include "text/tokenizer.h"

namespace retort::runtime {

struct VocabularyFit {
  std::int64_t rows = 0;                   ///< of the embedding
  std::int64_t ids = 0;                    ///< the tokenizer's largest id + 1
  std::vector<text::TokenId> without_row;  ///< added tokens with ids of `rows` and more, ascending
  std::pair<std::int64_t, std::int64_t> padding() const { return {ids < rows ? ids : rows, rows}; }  ///< [first, end)
};

/// Throws std::invalid_argument, beginning with `folder`, where a token of the BPE vocabulary itself has no row: then
/// the two come from different models.
VocabularyFit vocabulary_fit(const model::ModelConfig& config, const text::Tokenizer& tokenizer,
                             const std::string& folder);

/// "tokenizer.json has 2 added tokens without a row …: 32000 '<pad>', …"; "" where all have one.
std::string missing_rows_text(const VocabularyFit& fit, const text::Tokenizer& tokenizer);

/// Throws std::invalid_argument naming the first of `tokens` that has no row, its text and its place.
void require_rows(std::span<const text::TokenId> tokens, const text::Tokenizer& tokenizer,
                  const model::ModelConfig& config);

}  // namespace retort::runtime
