// One optimiser step's gradient from several threads at once: each takes a part of the batch through the whole model.
// A small model's operations are too short to be shared by threads one by one. Internal to core/train.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "train/libtorch.h"
#include "train/parameter_groups.h"

namespace retort::train {

/// LibTorch's operations on this thread take `threads` threads each while it lives.
class OperationThreads {
 public:
  explicit OperationThreads(int threads);
  ~OperationThreads();
  OperationThreads(const OperationThreads&) = delete;
  OperationThreads& operator=(const OperationThreads&) = delete;

 private:
  int before_;
};

class DataParallel {
 public:
  /// While it lives, LibTorch's operations run on one thread each if `threads` is above 1. `parameters` are those that
  /// learn; where they are not on the CPU one thread is enough to keep the device busy, and more are not taken.
  DataParallel(std::vector<torch::Tensor> parameters, std::int64_t threads);
  DataParallel(const ParameterGroups& groups, std::int64_t threads) : DataParallel(groups.tensors(), threads) {}
  ~DataParallel();
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  /// The parts of a batch: as many as threads, or more where micro_batch_size (0 = no limit) asks for smaller ones.
  std::vector<std::span<const std::size_t>> parts(std::span<const std::size_t> batch,
                                                  std::int64_t micro_batch_size) const;

  /// Calls loss_of(part) for every part below `count`, several at a time, and adds the gradients of the scalars that it
  /// returns to the parameters' in the order of the parts: the result does not depend on which is done first. Returns
  /// the sum of the scalars. An undefined tensor adds nothing. Rethrows the first part's exception after all are done.
  double accumulate(std::size_t count, const std::function<torch::Tensor(std::size_t part)>& loss_of);

 private:
  struct PartResult;
  /// Calls body(i) for every i below `count`, several at a time. Rethrows the first one's exception after all are done.
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body);
  std::vector<torch::Tensor> parameters_;
  std::int64_t threads_;
  std::unique_ptr<boost::asio::thread_pool> pool_;  ///< null with one thread
};

}  // namespace retort::train
