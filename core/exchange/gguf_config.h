// A model's shape as GGUF metadata, "<architecture>.block_count" and the like, to and from config.json's. Not the
// tokenizer's keys (text/gguf_tokenizer.h).
// Sources: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, llama.cpp's gguf-py/gguf/constants.py.
#pragma once

#include <string>

#include "model/gguf_file.h"
#include "model/gguf_metadata.h"
#include "model/model_config.h"

namespace retort::exchange {

/// Reads the keys of architectures llama, qwen2, qwen3 and gemma3; tensors say what keys do not: vocabulary, tied head,
/// biases, llama3 factors. Throws std::invalid_argument by key or tensor: absent, of another type or range, or of a
/// model that is not implemented (experts, partial rotary embeddings, soft caps, sliding windows of the first three).
/// What gemma3's keys leave out is as llama.cpp has it: every sixth layer looks at everything, the others turn on base
/// 10,000.
model::ModelConfig config_from_gguf(const model::GgufFile& file);

/// The keys "general.architecture" and "<architecture>.*". Throws std::invalid_argument for what GGUF files of this
/// architecture cannot say (sliding windows; of gemma3 other patterns, local bases and scales of scores).
model::GgufMetadata gguf_from_config(const model::ModelConfig& config);

}  // namespace retort::exchange
