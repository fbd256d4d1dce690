// What calibration saw of the input of one site, added up over batches. Internal to core/train. I input columns, N rows
// of a batch, S rows altogether.
#pragma once

#include <retort/abi/site.h>

#include <deque>
#include <vector>

#include "train/libtorch.h"
#include "train/plugin_node.h"

namespace retort::train {

class SiteStatistics {
 public:
  /// `signals` are INPUT_… of retort/abi/signals.h.
  SiteStatistics(std::int64_t columns, std::uint64_t signals);

  /// rows [N,I] f32: positions that hold a token, no padding.
  void add(const torch::Tensor& rows);
  std::int64_t rows() const { return rows_; }
  torch::Tensor hessian() const;  ///< [I,I] 2·Σ x xᵀ / S, where it was asked for
  /// Valid until the next add(), as long as this object lives. What was not asked for is NULL. Rows that are handed out
  /// as samples are the first ones, 64 MiB of them at most.
  retort_site_statistics abi();

 private:
  std::int64_t columns_, rows_ = 0, sample_rows_ = 0;
  std::uint64_t signals_;
  torch::Tensor absolute_sum_, absolute_max_, square_sum_;  ///< [I] f64
  torch::Tensor products_;                                  ///< [I,I] f32 Σ x xᵀ
  std::vector<torch::Tensor> samples_;
  std::deque<Lent> lent_;
};

}  // namespace retort::train
