// The tokenizer.bin of llama2.c as a tokenizer.json.
// Format (https://github.com/karpathy/llama2.c, tokenizer.py): int32 length of the longest token, then for every token
// float32 score, int32 length, bytes; little-endian. Spaces stand for SentencePiece's "▁", token 0 is unknown, 1 begins
// and 2 ends a text, 3 to 258 are the bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace retort::text {

/// `vocabulary_size`: how many tokens the model has; the file does not say. begin_token() of the result is 1. Throws
/// std::runtime_error if the file cannot be read, std::invalid_argument (file, token, expected, found) if it is cut
/// off, goes on behind the last token, or has a token twice.
std::string tokenizer_json_from_llama2c(const std::filesystem::path& file, std::int64_t vocabulary_size);

}  // namespace retort::text
