// Parts of a batch on several threads: the sum of their gradients, whoever is done first.
#include "train/data_parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace retort::train {
namespace {

using torch::Tensor;

/// Losses whose gradients with respect to w are the rows of x, and nothing for the unused parameter.
struct Rows {
  Tensor w = torch::zeros({5}).set_requires_grad(true);
  Tensor unused = torch::zeros({2}).set_requires_grad(true);
  Tensor x = torch::randn({7, 5});
  Tensor loss(std::size_t part) const { return (w * x[static_cast<std::int64_t>(part)]).sum() + 1.0; }
};

}  // namespace

TEST(DataParallel, AddsTheGradientsInTheOrderOfTheParts) {
  torch::manual_seed(1);
  const Rows rows;
  Tensor expected = torch::zeros({5});
  for (std::int64_t part = 0; part < 7; ++part) expected += rows.x[part];
  for (const std::int64_t threads : {1, 2, 3}) {
    DataParallel parallel({rows.w, rows.unused}, threads);
    for (int round = 0; round < 5; ++round) {
      rows.w.mutable_grad() = Tensor();
      const double loss = parallel.accumulate(7, [&](std::size_t part) {
        std::this_thread::sleep_for(std::chrono::microseconds((part * 7 + static_cast<std::size_t>(round)) % 3 * 200));
        return rows.loss(part);
      });
      EXPECT_EQ(loss, 7.0);
      EXPECT_TRUE(torch::equal(rows.w.grad(), expected)) << threads << " threads";
      EXPECT_FALSE(rows.unused.grad().defined());
    }
  }
}

TEST(DataParallel, SkipsPartsWithoutALoss) {
  torch::manual_seed(2);
  const Rows rows;
  DataParallel parallel({rows.w}, 2);
  EXPECT_EQ(parallel.accumulate(3, [&](std::size_t part) { return part == 1 ? Tensor() : rows.loss(part); }), 2.0);
  EXPECT_TRUE(torch::equal(rows.w.grad(), rows.x[0] + rows.x[2]));
  EXPECT_EQ(parallel.accumulate(1, [](std::size_t) { return Tensor(); }), 0.0);
}

TEST(DataParallel, RethrowsAfterAllPartsAreDone) {
  const Rows rows;
  DataParallel parallel({rows.w}, 2);
  std::atomic<int> done = 0;
  const auto failing = [&](std::size_t part) {
    if (part < 2) throw std::runtime_error("part " + std::to_string(part));
    ++done;
    return rows.loss(part);
  };
  try {
    parallel.accumulate(6, failing);
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "part 0");
  }
  EXPECT_EQ(done, 4);
}

TEST(DataParallel, SplitsABatch) {
  const Rows rows;
  const std::vector<std::size_t> batch = {9, 8, 7, 6, 5};
  const auto sizes = [&](std::int64_t threads, std::int64_t micro_batch_size) {
    const DataParallel parallel({rows.w}, threads);
    std::vector<std::size_t> result, all;
    for (const auto part : parallel.parts(batch, micro_batch_size)) {
      result.push_back(part.size());
      all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all, batch);
    return result;
  };
  using Sizes = std::vector<std::size_t>;
  EXPECT_EQ(sizes(1, 0), Sizes{5});
  EXPECT_EQ(sizes(2, 0), (Sizes{3, 2}));
  EXPECT_EQ(sizes(2, 2), (Sizes{2, 2, 1}));
  EXPECT_EQ(sizes(9, 0), (Sizes{1, 1, 1, 1, 1}));
}

TEST(DataParallel, GivesOperationsTheirThreadsBack) {
  const Rows rows;
  at::set_num_threads(3);
  {
    const DataParallel parallel({rows.w}, 3);
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(1);
}

}  // namespace retort::train
