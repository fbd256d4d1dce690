// Every buffer that a forward pass writes, sized once at load: the token loop allocates nothing.
#pragma once

#include <cstdint>

#include "model/model_config.h"
#include "runtime/aligned_buffer.h"
#include "runtime/linear.h"

namespace retort::runtime {

/// Rows for which logits are computed at once when all positions are asked for.
inline constexpr std::int64_t kLogitRows = 64;

/// For up to `rows` rows at a time (a row bucket); `context` sizes the attention scores.
class Workspace {
 public:
  Workspace(const model::ModelConfig& config, std::int64_t rows, std::int64_t context);

  float* hidden() { return hidden_.data(); }        ///< [rows,D], the residual stream
  float* projected() { return projected_.data(); }  ///< [rows, widest linear output but the head's]
  float* logits() { return logits_.data(); }        ///< [kLogitRows,V]
  float* scores() { return scores_.data(); }        ///< attention's scratch
  float* head() { return head_.data(); }            ///< [head_dim]

  /// The input of the next linear layer. `values` is also where the row is prepared before it is quantised.
  Activation& input() { return input_; }
  /// Linear::finish_row of input().
  void finish_row(const Linear& next, std::int64_t row, float maximum) { next.finish_row(input_, row, maximum); }

 private:
  AlignedBuffer<float> hidden_, projected_, logits_, scores_, head_, values_, row_scales_, group_scales_;
  AlignedBuffer<std::int8_t> codes_;
  AlignedBuffer<std::uint16_t> halves_;
  AlignedBuffer<std::int32_t> group_sums_;
  Activation input_;
};

}  // namespace retort::runtime
