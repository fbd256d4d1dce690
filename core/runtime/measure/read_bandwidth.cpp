// See read_bandwidth.h.
#include "runtime/measure/read_bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "runtime/kernels/multiversion.h"
#include "runtime/kernels/onednn_engine.h"
#include "runtime/kernels/parallel.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kLineWords = 8, kBlockWords = 4 * kLineWords;

// Who fetches memory ahead of the loads. Which is faster depends on the processor: ours by a fifth on Zen 4, the
// processor's own by a fifth on Zen 3.
enum class Fetch { by_hardware, ahead };

// Several independent sums, so that loads and not additions are what takes time.
using Sums = std::array<std::uint64_t, kBlockWords>;

[[gnu::always_inline]] inline void add_block(const std::uint64_t* words, Sums& sums) {
#pragma omp simd
  for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += words[k];
}

[[gnu::always_inline]] inline std::uint64_t total_of(const Sums& sums, const std::uint64_t* rest, std::int64_t count) {
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  for (std::int64_t i = 0; i < count; ++i) sum += rest[i];
  return sum;
}

template <Fetch How>
[[gnu::always_inline]] inline std::uint64_t sum_in_order(const std::uint64_t* words, std::int64_t count) {
  constexpr std::int64_t kAhead = 512;  // 4 KiB
  Sums sums{};
  std::int64_t i = 0;
  for (; i + kBlockWords <= count; i += kBlockWords) {
    if constexpr (How == Fetch::ahead)
      for (std::int64_t k = 0; k < kBlockWords; k += kLineWords) __builtin_prefetch(words + i + k + kAhead);
    add_block(words + i, sums);
  }
  return total_of(sums, words + i, count - i);
}

RETORT_MULTIVERSION
std::uint64_t sum_by_hardware(const std::uint64_t* words, std::int64_t count) {
  return sum_in_order<Fetch::by_hardware>(words, count);
}

RETORT_MULTIVERSION
std::uint64_t sum_fetching_ahead(const std::uint64_t* words, std::int64_t count) {
  return sum_in_order<Fetch::ahead>(words, count);
}

// A block of each of eight streams in turn: where the processor follows each of them only to the end of a page, a fifth
// faster than in order (Intel's of 2023).
RETORT_MULTIVERSION
std::uint64_t sum_streams(const std::uint64_t* words, std::int64_t count) {
  constexpr std::int64_t kStreams = 8;
  const std::int64_t stride = count / kStreams / kBlockWords * kBlockWords;
  Sums sums{};
  for (std::int64_t i = 0; i < stride; i += kBlockWords)
    for (std::int64_t stream = 0; stream < kStreams; ++stream) add_block(words + stream * stride + i, sums);
  return total_of(sums, words + kStreams * stride, count - kStreams * stride);
}

std::int64_t more_than_caches() {
  const std::int64_t cache = std::max<std::int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
  return std::max<std::int64_t>(std::int64_t{512} << 20, 4 * cache);
}

}  // namespace

ReadBandwidth::ReadBandwidth(std::int64_t threads, std::int64_t bytes) : threads_(threads) {
  if (bytes == 0) bytes = more_than_caches();
  part_ = bytes / static_cast<std::int64_t>(sizeof(std::uint64_t)) / threads;
  words_ = reinterpret_cast<std::uint64_t*>(memory_.take(bytes));
  memory_.prefer_huge_pages();
  const ThreadCountScope scope(threads_);
  parallel_for(threads_, threads_ * part_, [&](std::int64_t i, std::int64_t) {
    std::fill(words_ + i * part_, words_ + (i + 1) * part_, 1U);  // pages of its own, not the shared page of zeros
  });
}

double ReadBandwidth::rate_of(Sum sum) {
  const ThreadCountScope scope(threads_);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads_));
  const auto start = std::chrono::steady_clock::now();
  parallel_for(threads_, threads_ * part_, [&](std::int64_t i, std::int64_t) {
    sums[static_cast<std::size_t>(i)] = sum(words_ + i * part_, part_);
  });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  // The sum is known, which keeps the reads from being optimised away.
  const auto expected = static_cast<std::uint64_t>(part_);
  const bool right =
      std::all_of(sums.begin(), sums.end(), [expected](std::uint64_t found) { return found == expected; });
  return right ? static_cast<double>(8 * threads_ * part_) / elapsed.count() : 0;
}

double ReadBandwidth::measure(std::int64_t passes) {
  constexpr std::array<Sum, 3> kLoops{sum_by_hardware, sum_fetching_ahead, sum_streams};
  std::array<std::vector<double>, kLoops.size()> rates;
  for (std::int64_t pass = 0; pass < passes; ++pass)
    for (std::size_t i = 0; i < kLoops.size(); ++i) rates[i].push_back(rate_of(kLoops[i]));
  double fastest = 0;
  for (std::vector<double>& of_loop : rates) {
    std::sort(of_loop.begin(), of_loop.end());
    if (!of_loop.empty()) fastest = std::max(fastest, of_loop[of_loop.size() / 2]);
  }
  return fastest;
}

}  // namespace retort::runtime
