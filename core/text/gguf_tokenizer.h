// Tokenizers in GGUF metadata (keys "tokenizer.ggml.…") to and from tokenizer.json: byte-level BPE ("gpt2") and
// SentencePiece BPE ("llama"). Not the file itself (model/gguf_metadata.h), not chat templates, not the other models
// (WordPiece, Unigram, RWKV).
// Sources: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, llama.cpp's src/llama-vocab.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/gguf_metadata.h"
#include "text/tokenizer.h"

namespace retort::text {

/// The tokenizer.json that encodes as llama.cpp does with this metadata; `origin` is what errors call the file.
/// "tokenizer.ggml.pre" may be gpt-2, qwen2, llama-bpe (llama3, llama-v3), smollm or default, which is also what a file
/// without it means. Where the converters drop something of the original tokenizer.json that is known from the name
/// (qwen2's NFC), it is put back. Tokens of type unused ("[PAD…]") are left out; their ids stay free, so that
/// vocabulary_size() may be smaller than the embedding. begin_token() is set if add_bos_token is true, or absent where
/// llama.cpp's default is true ("llama", llama-bpe).
/// Where the file holds "tokenizer.huggingface.json", a whole tokenizer.json, that is returned; its tokens must be
/// those of the other keys. Throws std::invalid_argument: origin, key, expected, found; so for a pre-tokenizer or model
/// of another name, a key of another type, arrays of different lengths, a token that stands twice, a merge of unknown
/// tokens.
std::string tokenizer_json_from_gguf(const model::GgufMetadata& metadata, const std::string& origin);

struct GgufTokenizerOptions {
  std::int64_t vocabulary_size = 0;  ///< rows of the embedding; what lies behind the tokenizer's ids becomes "[PAD…]"
  std::optional<TokenId> begin;      ///< bos_token_id, unless the tokenizer has a begin_token()
  std::optional<TokenId> end;        ///< eos_token_id
  std::optional<TokenId> padding;    ///< padding_token_id
};

/// The metadata with which llama.cpp encodes as `tokenizer` does: tokens, token_type, merges and pre for byte-level
/// BPE; tokens, scores and token_type for SentencePiece style, whose merges must be ordered as scores can say (see
/// sentencepiece.h). add_bos_token is whether the tokenizer has a begin_token(). Throws std::invalid_argument if the
/// pre-tokenizer has no name in llama.cpp, the merges are in no order of scores, or ids are out of range.
/// What lost_in_gguf() names makes it add the whole tokenizer.json.
model::GgufMetadata gguf_tokenizer(const Tokenizer& tokenizer, const GgufTokenizerOptions& options);

/// What of a tokenizer that gguf_tokenizer() takes its own keys cannot say, one phrase each: white space that added
/// tokens take along, single words, normalisers, …. Empty: the keys alone give a tokenizer that encodes alike.
std::vector<std::string> lost_in_gguf(const Tokenizer& tokenizer);

}  // namespace retort::text
