#include "train/data_parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <latch>

namespace retort::train {

/// What one part gives.
struct DataParallel::PartResult {
  double loss = 0;
  std::vector<torch::Tensor> gradients;  ///< one a parameter; empty where the part adds nothing
};

OperationThreads::OperationThreads(int threads) : before_(at::get_num_threads()) {
  if (threads != before_) at::set_num_threads(threads);
}

OperationThreads::~OperationThreads() {
  if (before_ != at::get_num_threads()) at::set_num_threads(before_);
}

DataParallel::DataParallel(std::vector<torch::Tensor> parameters, std::int64_t threads)
    : parameters_(std::move(parameters)), threads_(parameters_.empty() || parameters_.front().is_cpu() ? threads : 1) {
  if (threads_ <= 1) return;
  at::set_num_threads(1);
  pool_ = std::make_unique<boost::asio::thread_pool>(static_cast<std::size_t>(threads_));
}

DataParallel::~DataParallel() {
  if (!pool_) return;
  pool_->join();
  at::set_num_threads(static_cast<int>(threads_));
}

std::vector<std::span<const std::size_t>> DataParallel::parts(std::span<const std::size_t> batch,
                                                              std::int64_t micro_batch_size) const {
  const auto threads = static_cast<std::size_t>(std::max<std::int64_t>(threads_, 1));
  std::size_t size = std::max<std::size_t>(1, (batch.size() + threads - 1) / threads);
  if (micro_batch_size > 0) size = std::min(size, static_cast<std::size_t>(micro_batch_size));
  std::vector<std::span<const std::size_t>> result;
  for (std::size_t begin = 0; begin < batch.size(); begin += size)
    result.push_back(batch.subspan(begin, std::min(size, batch.size() - begin)));
  return result;
}

void DataParallel::for_each(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::vector<std::exception_ptr> errors(count);
  const auto run = [&](std::size_t i) {
    try {
      body(i);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  if (pool_) {
    std::latch done(static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
      boost::asio::post(*pool_, [&, i] {
        run(i);
        done.count_down();
      });
    }
    done.wait();
  } else {
    for (std::size_t i = 0; i < count; ++i) run(i);
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

double DataParallel::accumulate(std::size_t count, const std::function<torch::Tensor(std::size_t part)>& loss_of) {
  std::vector<PartResult> results(count);
  for_each(count, [&](std::size_t part) {
    const torch::Tensor loss = loss_of(part);
    if (!loss.defined()) return;
    results[part].gradients = torch::autograd::grad({loss}, parameters_, {}, std::nullopt, false, true);
    results[part].loss = loss.item<double>();
  });
  // Weight by weight: a large model's sums are worth all threads.
  for_each(parameters_.size(), [&](std::size_t i) {
    torch::Tensor& gradient = parameters_[i].mutable_grad();
    for (PartResult& result : results) {
      if (result.gradients.empty() || !result.gradients[i].defined()) continue;
      const torch::Tensor addend = std::move(result.gradients[i]);
      if (gradient.defined())
        gradient += addend;
      else
        gradient = addend.is_view() ? addend.clone() : addend;  // optimisers cannot clear a view
    }
  });
  double loss = 0;
  for (const PartResult& result : results) loss += result.loss;
  return loss;
}

}  // namespace retort::train
