// Two orders of the rows of query and key projections. Hugging Face turns dimensions (i, i + d/2) of a head together;
// llama2.c, and llama.cpp for the architecture "llama", neighbours (2i, 2i + 1).
#pragma once

#include <cstdint>
#include <string>

namespace retort::exchange {

/// The row of Hugging Face's order that stands at `row` of the interleaved order. `head_dim` is even.
constexpr std::int64_t half_split_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t within = row % head_dim;
  return row - within + (within % 2) * (head_dim / 2) + within / 2;
}

/// Its inverse: the row of the interleaved order that stands at `row` of Hugging Face's.
constexpr std::int64_t interleaved_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t within = row % head_dim, half = head_dim / 2;
  return row - within + 2 * (within % half) + within / half;
}

/// Whether the tensor of this Hugging Face name is one whose rows the two orders arrange differently.
inline bool has_rotated_rows(const std::string& name) {
  return name.find(".self_attn.q_proj.") != std::string::npos || name.find(".self_attn.k_proj.") != std::string::npos;
}

}  // namespace retort::exchange
