// What algorithms and rewards may answer, and what the host says of it; and what it shows them of a step of
// reinforcement learning, word for word as retort/abi/rl.h says.
#include <gtest/gtest.h>

#include <cfenv>
#include <functional>
#include <map>

#include "host/algorithm/reward_call.h"
#include "host/algorithm/rl_call.h"
#include "host/plugin/plugin_error.h"

/// A component that is nothing but what a test wants.
struct retort_instance {
  std::function<void(const retort_rl_batch&, retort_rl_result&)> loss;
  std::function<void(const retort_rl_batch&, retort_rl_advantages&)> advantages;
  std::function<void(const retort_item_sink&)> score;
  std::uint32_t flags = 0;
};

namespace retort::host {
namespace {

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

template <typename Body>
std::string message_of(const Body& body) {
  try {
    body();
    return "nothing was thrown";
  } catch (const std::exception& error) {
    return error.what();
  }
}

template <typename T>
T& element(const retort_tensor* tensor, std::int64_t row, std::int64_t column = 0) {
  T* first = reinterpret_cast<T*>(static_cast<char*>(tensor->data) + tensor->byte_offset);
  return first[row * tensor->strides[0] + (tensor->dimensions > 1 ? column * tensor->strides[1] : 0)];
}

std::vector<std::int64_t> shape_of(const retort_tensor* tensor) {
  return {tensor->shape, tensor->shape + tensor->dimensions};
}

void fill(const retort_tensor* tensor, float value) {
  for (std::int64_t i = 0; i < tensor->shape[0]; ++i)
    for (std::int64_t j = 0; j < (tensor->dimensions > 1 ? tensor->shape[1] : 1); ++j)
      element<float>(tensor, i, j) = value;
}

constexpr std::int64_t groups = 4, group_size = 3, positions = 2, rows = groups * group_size;

class RlFaults : public ::testing::Test {
 protected:
  RlCall call() {
    static const retort_rl_v1 table = {
        RETORT_RL_V1_SIZE, 0,
        [](retort_instance* instance, retort_rl_requirements* out) -> retort_error* {
          *out = {sizeof(*out), instance->flags, 0, group_size, 1, 2, 0};
          return nullptr;
        },
        [](retort_instance* instance, const retort_rl_batch* batch, retort_rl_advantages* out) -> retort_error* {
          instance->advantages(*batch, *out);
          return nullptr;
        },
        [](retort_instance* instance, const retort_rl_batch* batch, retort_rl_result* result) -> retort_error* {
          instance->loss(*batch, *result);
          return nullptr;
        }};
    return RlCall("rl.fault", &component_, table);
  }
  static RlStep step() {
    RlStep step;
    step.prompts = groups;
    step.group_size = group_size;
    step.positions = positions;
    for (std::int64_t row = 0; row < rows; ++row) {
      step.rewards.push_back(static_cast<float>(row));
      step.finished.push_back(1);
      step.reward_parts.push_back(static_cast<float>(row));
      step.keep.push_back(1);
      for (std::int64_t t = 0; t < positions; ++t) {
        step.mask.push_back(1);
        step.old_log_probs.push_back(-1);
      }
    }
    return step;
  }
  RlLoss loss(const RlStep& of, std::span<const std::int64_t> part, const RlUpdate& update) {
    const RlPolicy policy{std::vector<float>(part.size() * positions, -1.0F), {}, {}};
    RlMetrics metrics;
    return call().loss(of, update, part, policy, true, metrics);
  }
  retort_instance component_;
};

TEST_F(RlFaults, LossGetsOneRewardARowAndWholeGroupsWhereItAsks) {
  component_.flags = RETORT_RL_WHOLE_GROUPS;
  RlStep all = step();
  all.keep[4] = 0;  // one row of group 1 takes no part
  std::int64_t seen = 0;
  component_.loss = [&](const retort_rl_batch& batch, retort_rl_result& result) {
    const std::int64_t r = batch.rows->shape[0];
    EXPECT_EQ(shape_of(batch.rewards), std::vector<std::int64_t>{r});
    EXPECT_EQ(shape_of(batch.groups), std::vector<std::int64_t>{r});
    EXPECT_EQ(shape_of(batch.finished), std::vector<std::int64_t>{r});
    EXPECT_EQ(shape_of(batch.mask), (std::vector<std::int64_t>{r, positions}));
    EXPECT_EQ(batch.group_size, group_size);
    std::map<std::int64_t, int> members;
    for (std::int64_t i = 0; i < r; ++i) {
      const auto row = element<std::int64_t>(batch.rows, i), group = element<std::int64_t>(batch.groups, i);
      EXPECT_EQ(group, row / group_size);
      EXPECT_EQ(element<float>(batch.rewards, i), static_cast<float>(row));
      ++members[group];
    }
    for (const auto& [number, count] : members) EXPECT_EQ(count, number == 1 ? 2 : 3) << "a torn group";
    seen += r;
    result.loss = 0;
    fill(result.log_probs_gradient, 0);
  };
  const retort_rl_requirements wanted = call().wanted();
  for (const RlUpdate& update : rl_updates(all, wanted, 5))
    for (const auto part : rl_parts(update, wanted, 1)) loss(all, part, update);  // parts as small as can be
  EXPECT_EQ(seen, rows - 1);
}

TEST_F(RlFaults, AdvantagesSeesTheWholeStep) {
  RlStep all = step();
  component_.advantages = [](const retort_rl_batch& batch, retort_rl_advantages& out) {
    EXPECT_EQ(shape_of(batch.rewards), std::vector<std::int64_t>{rows});
    EXPECT_EQ(batch.advantages, nullptr);
    fill(out.advantages, 0);
    fill(out.keep, 1);
  };
  RlMetrics metrics;
  call().advantages(all, metrics);
  EXPECT_EQ(all.advantages, std::vector<float>(rows * positions, 0.0F));
}

TEST_F(RlFaults, WhatIsNotWrittenIsAnErrorWithTheComponentsName) {
  const RlStep all = step();
  RlUpdate update = rl_updates(all, call().wanted(), 1)[0];
  component_.loss = [](const retort_rl_batch&, retort_rl_result& result) { fill(result.log_probs_gradient, 0); };
  EXPECT_HAS(message_of([&] { loss(all, update.rows, update); }),
             "rl.fault: loss(): expected a finite loss, found nan");
  component_.loss = [](const retort_rl_batch&, retort_rl_result& result) { result.loss = 1; };
  EXPECT_HAS(message_of([&] { loss(all, update.rows, update); }),
             "rl.fault: loss(): gradient by log_probs: expected a finite number in every element, found nan");
}

TEST_F(RlFaults, ARoundingModeIsRestoredAfterTheCall) {
  const RlStep all = step();
  const RlUpdate update = rl_updates(all, call().wanted(), 1)[0];
  component_.loss = [](const retort_rl_batch&, retort_rl_result& result) {
    result.loss = 1;
    fill(result.log_probs_gradient, 0);
    std::fesetround(FE_TOWARDZERO);
  };
  loss(all, update.rows, update);
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

class RewardFaults : public ::testing::Test {
 protected:
  std::string error_of(const std::string& item) {
    static const retort_reward_v1 table = {
        RETORT_REWARD_V1_SIZE, 0,
        [](retort_instance*, const retort_text_sink* names) -> retort_error* {
          names->write(names->context, to_abi(R"([{"name": "right", "minimum": 0, "maximum": 1, "summary": ""}])"));
          return nullptr;
        },
        [](retort_instance* instance, const retort_reward_batch*, const retort_item_sink* sink) -> retort_error* {
          instance->score(*sink);
          return nullptr;
        }};
    component_.score = [&](const retort_item_sink& sink) { sink.item(sink.context, 0, to_abi(item)); };
    return message_of(
        [&] { RewardCall("reward.fault", &component_, table).score("[]", "[{}]", 1, [](auto, auto) {}); });
  }
  retort_instance component_;
};

TEST_F(RewardFaults, AreNamedWithTheComponentAndTheItem) {
  EXPECT_EQ(error_of(R"({"scores": {"right": 1}, "reason": ""})"), "nothing was thrown");
  const std::string who = "reward.fault: score(): item 0: expected ";
  EXPECT_EQ(error_of("garbage"), who + "JSON, found \"garbage\"; this is a fault of the component");
  EXPECT_HAS(error_of(R"({"scores": {"right": -77}, "reason": ""})"), who + "\"right\" in [0.0, 1.0], found");
  EXPECT_HAS(error_of(R"({"scores": {"right": NaN}})"), who + "JSON");
  EXPECT_HAS(error_of(R"({"scores": {}})"), who);
  EXPECT_HAS(error_of("\"\xFF\x1b[2J\""), who + "JSON, found \"\"\xEF\xBF\xBD\\x1b[2J\"\"");
  EXPECT_HAS(error_of(std::string(60000, '[') + std::string(60000, ']')), who + "JSON");
}

}  // namespace
}  // namespace retort::host
