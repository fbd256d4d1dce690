// Trains byte-level BPE (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909) and writes it as a tokenizer.json
// that Hugging Face's tokenizers library loads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace retort::text {

struct BpeTrainerOptions {
  std::int64_t vocabulary_size = 2048;      ///< tokens in all: 256 bytes, merges and special tokens
  std::int64_t minimum_frequency = 2;       ///< pairs seen less often are not merged; 1 = off
  std::vector<std::string> special_tokens;  ///< get the last ids, in this order
};

/// Deterministic: ties go to the pair with the smaller ids. Returns the text of tokenizer.json (ByteLevel
/// pre-tokenizer with the GPT-2 pattern, no prefix space, ByteLevel decoder). Throws std::invalid_argument if the
/// vocabulary is too small for the bytes and the special tokens.
std::string train_byte_level_bpe(const std::vector<std::string>& texts, const BpeTrainerOptions& options);

}  // namespace retort::text
