// A dataset as token sequences, and the order in which training sees them. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "task/dataset.h"
#include "task/prompt_contract.h"

namespace retort::train {

struct Sequence {
  std::vector<text::TokenId> prompt;
  std::vector<text::TokenId> response;  ///< ends with <|end|>; empty for an unlabelled example
  std::size_t example = 0;              ///< index in the split that it was made from
  /// [length()] weight of each token as a label; the first token is none. Empty: 1 for the response's tokens, 0 for the
  /// prompt's.
  std::vector<float> mask;
  std::string hash;  ///< sequence_hash() where it comes from a data set
  /// prompt_tags() of the prompt, or empty; each that is not −1 is a label of its own token, of this weight.
  std::vector<text::TokenId> tags = {};
  float tag_weight = 0;
  std::size_t length() const { return prompt.size() + response.size(); }
  float weight(std::size_t token) const;  ///< mask[token], or what it stands for
  double label_weight() const;            ///< Σ mask, and the tags' weights
};

/// Masks of a prompt and its response: prompt_weight for the prompt's tokens but the first, 1 for the response's. Empty
/// with prompt_weight 0.
std::vector<float> token_mask(std::size_t prompt, std::size_t response, double prompt_weight);

/// SHA-256, in hexadecimal, of the token ids in decimal: "5 17 4|9 2", prompt and response. Signals that were computed
/// for a sequence carry it, so that they never meet another one.
std::string sequence_hash(const std::vector<text::TokenId>& prompt, const std::vector<text::TokenId>& response);

/// One example as tokens, with mask and hash. Throws std::invalid_argument as PromptContract::response.
Sequence to_sequence(const task::Example& example, const task::PromptContract& contract,
                     const text::Tokenizer& tokenizer, double prompt_weight = 0);

/// Tokenises every example. A sequence longer than `max_length` is an error that names the example: a cut response
/// would teach malformed calls.
std::vector<Sequence> to_sequences(const std::vector<task::Example>& examples, const task::PromptContract& contract,
                                   const text::Tokenizer& tokenizer, std::int64_t max_length);

/// [{"row", "hash", "prompt", "response"}]: the chosen sequences for a person to look at.
nlohmann::json described(const std::vector<Sequence>& sequences, const std::vector<std::size_t>& chosen,
                         const text::Tokenizer& tokenizer);

/// {"prompt", "response", "example"} and "mask" where it has one, and back: for files and for other processes. The hash
/// is no part of it.
nlohmann::json to_json(const Sequence& sequence);
Sequence sequence_from_json(const nlohmann::json& stored);

/// The batches of one epoch: indices into `lengths`, each once. Sequences of like length share a batch, so that little
/// is padded; batches come in random order. Depends on the arguments alone.
std::vector<std::vector<std::size_t>> batch_plan(const std::vector<std::size_t>& lengths, std::int64_t batch_size,
                                                 std::uint64_t seed, std::int64_t epoch);

/// A stream of numbers that depends on its seeds alone, for everything that training draws (SplitMix64, Steele et al.
/// 2014): unlike the standard distributions, the same with every standard library.
class SeededSequence {
 public:
  SeededSequence(std::uint64_t seed, std::uint64_t stream);
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound);  ///< uniform in [0, bound)

 private:
  std::uint64_t state_;
};

}  // namespace retort::train
