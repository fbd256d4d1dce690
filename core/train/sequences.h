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
  std::size_t length() const { return prompt.size() + response.size(); }
};

/// Tokenises every example. A sequence longer than `max_length` is an error that names the example: a cut response
/// would teach malformed calls.
std::vector<Sequence> to_sequences(const std::vector<task::Example>& examples, const task::PromptContract& contract,
                                   const text::Tokenizer& tokenizer, std::int64_t max_length);

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
