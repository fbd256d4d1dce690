// GGML's element types: sizes of their blocks, and their values to and from f32. Nothing of files (gguf_file.h).
// Layouts and rounding: https://github.com/ggml-org/ggml, src/ggml-common.h and src/ggml-quants.c (the *_ref
// functions).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace retort::model {

/// Those that are understood, with GGML's numbers. A matrix row is a whole number of blocks.
enum class GgmlType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,   ///< 32 elements: f16 scale d, 4-bit codes; w = d·(code − 8)
  q4_1 = 3,   ///< 32 elements: f16 d and m, 4-bit codes; w = d·code + m
  q5_0 = 6,   ///< as q4_0 with 5 bits, − 16
  q5_1 = 7,   ///< as q4_1 with 5 bits
  q8_0 = 8,   ///< 32 elements: f16 d, int8 codes; w = d·code
  q4_k = 12,  ///< 256 elements in 8 groups with 6-bit scales and minima
  q5_k = 13,
  q6_k = 14,  ///< 256 elements in 16 groups with int8 scales
  bf16 = 30,
};

std::optional<GgmlType> ggml_type(std::uint32_t number);
/// GGML's spelling: "F32", "Q4_K".
const char* name_of(GgmlType type);
/// The same for any number, for messages: "Q2_K" for 10, "type 99" for an unknown one.
std::string ggml_type_name(std::uint32_t number);

std::size_t block_elements(GgmlType type);  ///< 1, 32 or 256
std::size_t block_bytes(GgmlType type);
/// Whether quantise() can make it.
bool can_quantise(GgmlType type);
/// Bytes of `elements`, a multiple of block_elements.
std::size_t ggml_bytes(GgmlType type, std::size_t elements);

/// Reads values.size() elements, a multiple of block_elements, from `blocks`. Any bit pattern has a value.
void dequantise(GgmlType type, const std::byte* blocks, std::span<float> values);

/// Writes ggml_bytes(type, values.size()) bytes. f16 and bf16 round to nearest even; q8_0, q4_0 and q4_1 round as
/// GGML's reference functions do, byte for byte. Throws std::invalid_argument for a type that is only read.
void quantise(GgmlType type, std::span<const float> values, std::byte* blocks);

}  // namespace retort::model
