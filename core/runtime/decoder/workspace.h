// Every buffer that a forward pass writes, parts of one arena sized at load: the token loop allocates nothing.
#pragma once

#include <cstdint>

#include "model/model_config.h"
#include "runtime/kernels/arena.h"
#include "runtime/linear/linear.h"

namespace retort::runtime {

/// Rows for which logits are computed at once when all positions are asked for, and sequences decoded together.
inline constexpr std::int64_t kLogitRows = 64;

/// For up to `rows` rows at a time (a row bucket) on `threads` threads.
class Workspace {
 public:
  Workspace(const model::ModelConfig& config, std::int64_t rows, std::int64_t threads);

  float* hidden() { return hidden_; }        ///< [rows,D], the residual stream
  float* projected() { return projected_; }  ///< [rows, widest linear output but the head's]
  float* logits() { return logits_; }        ///< [kLogitRows,V]
  /// One thread's [kQueryTile,head_dim], for rotated queries and keys.
  float* heads(std::int64_t thread) { return heads_ + thread * heads_size_; }
  /// One thread's scratch for attend().
  float* attention(std::int64_t thread) { return attention_ + thread * attention_size_; }

  /// The input of the next linear layer. `values` is also where the row is prepared before it is quantised.
  Activation& input() { return input_; }
  /// Linear::finish_row of input(). Different rows may be finished by different threads.
  void finish_row(const Linear& next, std::int64_t row, std::int64_t rows, float maximum) {
    next.finish_row(input_, row, rows, maximum);
  }

 private:
  Arena arena_;
  std::int64_t heads_size_, attention_size_;
  float *hidden_, *projected_, *logits_, *heads_, *attention_;
  Activation input_;
};

}  // namespace retort::runtime
