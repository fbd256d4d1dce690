// The key/value part of a GGUF file (version 3) as typed values. Nothing of tensors or files (gguf.h).
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace retort::model {

/// One value with the type that the file gives it. Arrays of arrays, which no converter writes, are refused by the
/// reader. `bool` arrays hold 0 or 1.
using GgufValue =
    std::variant<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t, float, bool,
                 std::string, std::uint64_t, std::int64_t, double, std::vector<std::uint8_t>, std::vector<std::int8_t>,
                 std::vector<std::uint16_t>, std::vector<std::int16_t>, std::vector<std::uint32_t>,
                 std::vector<std::int32_t>, std::vector<float>, std::vector<bool>, std::vector<std::string>,
                 std::vector<std::uint64_t>, std::vector<std::int64_t>, std::vector<double>>;

/// By key, e.g. "llama.block_count" or "tokenizer.ggml.tokens".
using GgufMetadata = std::map<std::string, GgufValue>;

}  // namespace retort::model
