// The names that GGUF's "tokenizer.ggml.pre" gives to pre-tokenizers, and what stands for them in a tokenizer.json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace retort::text {

struct GgufPreTokenizer {
  std::string name;
  nlohmann::json pre_tokenizer;  ///< as in tokenizer.json
  bool nfc = false;              ///< the original has an NFC normaliser, which GGUF does not name
  bool ignore_merges = false;
  bool adds_begin = false;  ///< where add_bos_token is absent
};

/// Every known one; of two names for the same thing the first is the one to write.
const std::vector<GgufPreTokenizer>& gguf_pre_tokenizers();

/// The one that cuts as `pre_tokenizer` of a tokenizer.json does, or nullptr. Compares patterns, not spellings: Digits
/// and ByteLevel's own pattern count as what they stand for.
const GgufPreTokenizer* gguf_pre_tokenizer_of(const nlohmann::json& pre_tokenizer);

/// nullptr if the name is unknown.
const GgufPreTokenizer* find_gguf_pre_tokenizer(std::string_view name);

/// Gemma's pre-tokenizer: it cuts at spaces, of which its normaliser leaves none.
bool cuts_at_spaces(const nlohmann::json& pre_tokenizer);

}  // namespace retort::text
