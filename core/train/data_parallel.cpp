#include "train/data_parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <latch>

namespace retort::train {
namespace {

/// What one part gives.
struct PartResult {
  double loss = 0;
  std::vector<torch::Tensor> gradients;  ///< one a parameter; empty where the part adds nothing
  std::exception_ptr error;
};

}  // namespace

DataParallel::DataParallel(std::vector<torch::Tensor> parameters, std::int64_t threads)
    : parameters_(std::move(parameters)), threads_(threads) {
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

double DataParallel::accumulate(std::size_t count, const std::function<torch::Tensor(std::size_t part)>& loss_of) {
  std::vector<PartResult> results(count);
  const auto run = [&](std::size_t part) {
    try {
      const torch::Tensor loss = loss_of(part);
      if (!loss.defined()) return;
      results[part].gradients = torch::autograd::grad({loss}, parameters_, {}, std::nullopt, false, true);
      results[part].loss = loss.item<double>();
    } catch (...) {
      results[part].error = std::current_exception();
    }
  };
  if (pool_) {
    std::latch done(static_cast<std::ptrdiff_t>(count));
    for (std::size_t part = 0; part < count; ++part) {
      boost::asio::post(*pool_, [&, part] {
        run(part);
        done.count_down();
      });
    }
    done.wait();
  } else {
    for (std::size_t part = 0; part < count; ++part) run(part);
  }

  double loss = 0;
  for (PartResult& result : results) {
    if (result.error) std::rethrow_exception(result.error);
    if (result.gradients.empty()) continue;
    loss += result.loss;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!result.gradients[i].defined()) continue;
      const torch::Tensor& addend = result.gradients[i];
      torch::Tensor& gradient = parameters_[i].mutable_grad();
      if (gradient.defined())
        gradient += addend;
      else
        gradient = addend.is_view() ? addend.clone() : addend;  // optimisers cannot clear a view
    }
  }
  return loss;
}

}  // namespace retort::train
