// Panels split among threads that help each other.
#include "runtime/linear/panels.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/kernels/onednn_engine.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kWork = 1'000'000'000;  // worth any number of threads

using Range = std::pair<std::int64_t, std::int64_t>;

Range range_of(const PanelRange::Panels& panels) {
  return {panels.first, panels.last};
}

bool none(const PanelRange::Panels& panels) {
  return panels.first >= panels.last;
}

TEST(PanelRange, GivesItsPanelsFromBothEnds) {
  PanelRange range;
  EXPECT_TRUE(none(range.take_first()));
  EXPECT_TRUE(none(range.take_last()));
  range.set(5, 14);
  EXPECT_EQ(range_of(range.take_first()), Range(5, 10));  // half of nine, rounded up
  EXPECT_EQ(range_of(range.take_last()), Range(12, 14));
  EXPECT_EQ(range_of(range.take_first()), Range(10, 11));
  EXPECT_EQ(range_of(range.take_last()), Range(11, 12));
  EXPECT_TRUE(none(range.take_first()));
  EXPECT_TRUE(none(range.take_last()));
}

TEST(PanelRange, GivesEachPanelToOneThread) {
  constexpr std::int64_t kPanels = 20'000;
  PanelRange range;
  range.set(0, kPanels);
  std::vector<std::vector<std::int64_t>> taken(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < taken.size(); ++i)
    threads.emplace_back([&, i] {
      const auto take = [&] { return i == 0 ? range.take_first() : range.take_last(); };
      for (PanelRange::Panels panels = take(); !none(panels); panels = take())
        for (std::int64_t panel = panels.first; panel < panels.last; ++panel) taken[i].push_back(panel);
    });
  for (std::thread& thread : threads) thread.join();
  std::set<std::int64_t> all;
  std::size_t count = 0;
  for (const std::vector<std::int64_t>& panels : taken) {
    all.insert(panels.begin(), panels.end());
    count += panels.size();
  }
  EXPECT_EQ(count, static_cast<std::size_t>(kPanels));
  EXPECT_EQ(all.size(), count);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), kPanels - 1);
}

class SplitPanels : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(SplitPanels, VisitsEveryPanelOnce) {
  const ThreadCountScope threads(GetParam());
  for (const std::int64_t panels : {1, 2, 3, 7, 64, 1001}) {
    for (const std::int64_t work : {std::int64_t{1}, kWork}) {
      std::vector<int> visits(static_cast<std::size_t>(panels));
      std::atomic<int> outside{0};
      split_panels(panels, work, {}, {}, [&](const PanelSpan& span) {
        for (std::int64_t i = span.first; i < span.last; ++i) ++visits[static_cast<std::size_t>(i)];
        const bool within = span.begin <= span.first && span.last <= span.end && span.end <= panels;
        if (span.end > 0 && !within) ++outside;  // of what the thread walks in order
      });
      ASSERT_EQ(visits, std::vector<int>(visits.size(), 1)) << panels;
      ASSERT_EQ(outside, 0) << panels;
    }
  }
}

TEST_P(SplitPanels, IsPreparedOnceByTheCallerBeforeAnyPanel) {
  const ThreadCountScope threads(GetParam());
  constexpr std::int64_t kPanelBytes = 192;  // three lines: fewer than are read between two looks
  for (const std::int64_t panels : {1, 2, 7, 1001, 6000}) {
    // Of the size that there is, so that the address sanitizer sees what is read beyond it.
    const std::vector<std::byte> weights(static_cast<std::size_t>(panels * kPanelBytes));
    for (const std::int64_t work : {std::int64_t{1}, kWork}) {
      int prepared = 0;
      std::thread::id by;
      std::atomic<int> early{0};
      const auto prepare = [&] {
        std::this_thread::sleep_for(std::chrono::microseconds(panels < 100 ? 500 : 0));  // others fetch all, and wait
        by = std::this_thread::get_id();
        ++prepared;
      };
      split_panels(panels, work, prepare, {weights.data(), kPanelBytes}, [&](const PanelSpan&) {
        if (prepared != 1) ++early;
      });
      EXPECT_EQ(prepared, 1) << panels;
      EXPECT_EQ(by, std::this_thread::get_id()) << panels;
      EXPECT_EQ(early, 0) << panels;
    }
  }
}

// More threads than processors, and more than have a part of their own.
INSTANTIATE_TEST_SUITE_P(Threads, SplitPanels, ::testing::Values(1, 2, 3, 5, 70));

}  // namespace
}  // namespace retort::runtime
