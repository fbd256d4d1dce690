// Where a tokenizer and an embedding do not have the same size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/gguf_metadata.h"

namespace retort::exchange {

/// "embedding rows 49152 to 49279 belong to no token: padding", if there are such rows.
std::optional<std::string> padding_note(std::int64_t tokens, std::int64_t embedding_rows);

/// Takes out of the tokenizer's keys the tokens that have no row in the embedding, with their scores, types and the
/// merges that make or need them. Says which they were; nothing if all have one. Keys of other types than the format
/// has are left for the tokenizer's reader to refuse.
std::optional<std::string> drop_tokens_without_rows(model::GgufMetadata& metadata, std::int64_t embedding_rows);

}  // namespace retort::exchange
