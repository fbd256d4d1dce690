// How a step is cut into updates and parts.
#include "host/algorithm/rl_call.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace retort::host {
namespace {

/// 3 prompts, 2 samples each, rows of 1, 2, 3, 1, 2, 3 tokens.
RlStep step_of_six() {
  RlStep step;
  step.prompts = 3;
  step.group_size = 2;
  step.positions = 3;
  for (int row = 0; row < 6; ++row)
    for (int t = 0; t < 3; ++t) step.mask.push_back(t <= row % 3 ? 1.0F : 0.0F);
  step.keep = {1, 1, 1, 0, 1, 1};
  return step;
}

retort_rl_requirements wanted(std::int64_t updates, std::int64_t mini_batches, std::uint32_t flags) {
  return {sizeof(retort_rl_requirements), flags, 0, 2, updates, mini_batches, 0};
}

TEST(RlUpdates, OneUpdateHasAllKeptRows) {
  const std::vector<RlUpdate> updates = rl_updates(step_of_six(), wanted(1, 1, 0), 1);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].rows, (std::vector<std::int64_t>{0, 1, 2, 4, 5}));
  EXPECT_EQ(updates[0].tokens, 1 + 2 + 3 + 2 + 3);
  EXPECT_EQ(updates[0].groups, 3);
}

TEST(RlUpdates, EveryPassSeesEveryKeptRowOnce) {
  for (const std::uint32_t flags : {0U, RETORT_RL_WHOLE_GROUPS}) {
    const std::vector<RlUpdate> updates = rl_updates(step_of_six(), wanted(3, 2, flags), 1);
    ASSERT_EQ(updates.size(), 6u);
    bool orders_differ = false;
    for (std::size_t pass = 0; pass < 3; ++pass) {
      std::vector<std::int64_t> rows;
      std::int64_t tokens = 0;
      for (std::size_t part = 0; part < 2; ++part) {
        const RlUpdate& update = updates[2 * pass + part];
        EXPECT_EQ(update.number, static_cast<std::int64_t>(2 * pass + part));
        EXPECT_TRUE(std::is_sorted(update.rows.begin(), update.rows.end()));
        rows.insert(rows.end(), update.rows.begin(), update.rows.end());
        tokens += update.tokens;
      }
      orders_differ = orders_differ || updates[2 * pass].rows != updates[0].rows;
      std::sort(rows.begin(), rows.end());
      EXPECT_EQ(rows, (std::vector<std::int64_t>{0, 1, 2, 4, 5}));
      EXPECT_EQ(tokens, 11);
    }
    if (flags == 0) {
      EXPECT_TRUE(orders_differ);
    }
  }
}

TEST(RlUpdates, GroupsStayTogetherWhereAskedFor) {
  for (const RlUpdate& update : rl_updates(step_of_six(), wanted(4, 3, RETORT_RL_WHOLE_GROUPS), 7)) {
    EXPECT_EQ(update.groups, 1);
    EXPECT_EQ(update.rows.size(), update.rows[0] / 2 == 1 ? 1u : 2u);  // row 3 is not kept
  }
}

TEST(RlUpdates, MoreMiniBatchesThanRowsLeaveSomeEmpty) {
  std::size_t rows = 0;
  const std::vector<RlUpdate> updates = rl_updates(step_of_six(), wanted(1, 8, 0), 7);
  for (const RlUpdate& update : updates) rows += update.rows.size();
  EXPECT_EQ(updates.size(), 8u);
  EXPECT_EQ(rows, 5u);
}

std::vector<std::vector<std::int64_t>> parts(std::uint32_t flags, std::int64_t most) {
  RlUpdate update;
  update.rows = {0, 1, 2, 4, 5};
  std::vector<std::vector<std::int64_t>> found;
  for (const auto part : rl_parts(update, wanted(1, 1, flags), most)) found.emplace_back(part.begin(), part.end());
  return found;
}

TEST(RlParts, HoldAtMostSoManyRowsOrOneGroup) {
  using Parts = std::vector<std::vector<std::int64_t>>;
  EXPECT_EQ(parts(0, 2), (Parts{{0, 1}, {2, 4}, {5}}));
  EXPECT_EQ(parts(0, 1), (Parts{{0}, {1}, {2}, {4}, {5}}));
  EXPECT_EQ(parts(0, 9), (Parts{{0, 1, 2, 4, 5}}));
  EXPECT_EQ(parts(RETORT_RL_WHOLE_GROUPS, 1), (Parts{{0, 1}, {2}, {4, 5}}));
  EXPECT_EQ(parts(RETORT_RL_WHOLE_GROUPS, 3), (Parts{{0, 1, 2}, {4, 5}}));
}

}  // namespace
}  // namespace retort::host
