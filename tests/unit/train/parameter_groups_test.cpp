// Named groups of parameters: what the trainer does with all of them alike, and what it refuses.
#include "train/parameter_groups.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "runtime/random_model.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using runtime::testing::TemporaryFolder;
using torch::Tensor;

Tensor learnt(std::vector<std::int64_t> shape, double value) {
  return torch::full(shape, value, torch::kFloat32).set_requires_grad(true);
}

RunHooks silent_hooks() {
  return {[](std::string_view, std::int64_t, double) {},
          [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {}, [](std::string_view) {}};
}

TrainingOptions plain_options() {
  TrainingOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0;
  options.warmup_fraction = 0;
  options.final_fraction = 1;
  options.gradient_clip = 0;
  options.checkpoint_steps = 1;
  return options;
}

/// A trunk and a head, whose gradients are given.
struct TwoGroups {
  Tensor trunk = learnt({2, 2}, 1), head = learnt({3}, 1);
  ParameterGroups groups(double head_rate = 1) const {
    return ParameterGroups({{"decoder", {{"w", trunk}}}, {"value_head", {{"w", head}}, head_rate}});
  }
  void set_gradients(double of_trunk, double of_head) const {
    Tensor(trunk).mutable_grad() = torch::full({2, 2}, of_trunk);
    Tensor(head).mutable_grad() = torch::full({3}, of_head);
  }
};

std::string refusal(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(ParameterGroups, NamesEveryTensor) {
  const TwoGroups two;
  const auto named = two.groups().named_tensors();
  ASSERT_EQ(named.size(), 2u);
  EXPECT_EQ(named[0].first, "decoder/w");
  EXPECT_EQ(named[1].first, "value_head/w");
}

TEST(ParameterGroups, RefusesWhatCannotBeToldApartOrTrained) {
  const TwoGroups two;
  ParameterGroups groups = two.groups();
  EXPECT_NE(refusal([&] { groups.add({"decoder", {{"v", two.head}}}); }).find("'decoder'"), std::string::npos);
  EXPECT_NE(refusal([&] { groups.add({"empty", {}}); }).find("'empty'"), std::string::npos);
  EXPECT_NE(refusal([&] { groups.add({"fixed", {{"v", torch::ones({2})}}}); }).find("'v'"), std::string::npos);
  EXPECT_NE(refusal([&] { groups.add({"twice", {{"v", two.head}, {"v", two.trunk}}}); }).find("occurs twice"),
            std::string::npos);
}

TEST(Trainer, ClipsByOneNormOverAllGroups) {
  const TemporaryFolder work;
  const TwoGroups two;
  TrainingOptions options = plain_options();
  options.gradient_clip = 1;
  const RunHooks hooks = silent_hooks();
  Trainer trainer(two.groups(), options, 1, 0, work.path(), hooks);
  trainer.run("test", [&](std::int64_t) {
    two.set_gradients(2, 2);  // 7 elements: norm 2·√7
    return 0.0;
  });
  const double expected = 2 / (2 * std::sqrt(7.0));
  EXPECT_NEAR(two.trunk.grad()[0][0].item<double>(), expected, 1e-5);
  EXPECT_NEAR(two.head.grad()[2].item<double>(), expected, 1e-5);
}

TEST(Trainer, GivesEveryGroupItsRate) {
  const TemporaryFolder work;
  const TwoGroups two;
  const RunHooks hooks = silent_hooks();
  Trainer trainer(two.groups(0.25), plain_options(), 1, 0, work.path(), hooks);
  trainer.run("test", [&](std::int64_t) {
    two.set_gradients(3, -5);
    return 0.0;
  });
  // Adam's first step is the rate against the gradient's sign.
  EXPECT_NEAR(two.trunk[1][1].item<double>(), 1 - 0.1, 1e-6);
  EXPECT_NEAR(two.head[0].item<double>(), 1 + 0.25 * 0.1, 1e-6);
}

TEST(Trainer, ContinuesEveryGroupFromACheckpoint) {
  const TrainingOptions options = [] {
    TrainingOptions made = plain_options();
    made.average_decay = 0.5;
    return made;
  }();
  const RunHooks hooks = silent_hooks();
  const auto run = [&](const TwoGroups& two, const TemporaryFolder& work, std::int64_t stop_before) {
    Trainer trainer(two.groups(), options, 5, 0, work.path(), hooks);
    trainer.run("test", [&](std::int64_t step) {
      if (step == stop_before) throw std::runtime_error("stopped");
      two.set_gradients(1.0 + static_cast<double>(step), 2.0 - static_cast<double>(step));
      return 0.0;
    });
    trainer.use_kept_weights();
  };
  const TemporaryFolder whole_work, broken_work;
  const TwoGroups whole, broken, resumed;
  run(whole, whole_work, -1);
  EXPECT_EQ(refusal([&] { run(broken, broken_work, 3); }), "stopped");
  run(resumed, broken_work, -1);
  EXPECT_TRUE(torch::equal(whole.trunk, resumed.trunk));
  EXPECT_TRUE(torch::equal(whole.head, resumed.head));
  EXPECT_FALSE(torch::equal(whole.head, broken.head));
}

TEST(Trainer, RefusesACheckpointOfOtherGroupsOrShapesByName) {
  const TemporaryFolder work;
  const RunHooks hooks = silent_hooks();
  const TwoGroups two;
  Trainer first(two.groups(), plain_options(), 3, 0, work.path(), hooks);
  EXPECT_EQ(refusal([&] {
              first.run("test", [&](std::int64_t step) {
                if (step == 2) throw std::runtime_error("stopped");
                two.set_gradients(1, 1);
                return 0.0;
              });
            }),
            "stopped");
  const auto opened = [&](ParameterGroups groups) {
    return refusal([&] { Trainer(std::move(groups), plain_options(), 3, 0, work.path(), hooks); });
  };
  EXPECT_EQ(opened(two.groups()), "");
  const std::string fewer = opened(ParameterGroups({{"decoder", {{"w", two.trunk}}}}));
  EXPECT_NE(fewer.find("holds value_head/w"), std::string::npos) << fewer;
  ParameterGroups more = two.groups();
  more.add({"loss.projection", {{"value", learnt({2}, 0)}}});
  EXPECT_NE(opened(more).find("lacks loss.projection/value"), std::string::npos) << opened(more);
  // A shape that would broadcast into place is another model all the same.
  const std::string wider =
      opened(ParameterGroups({{"decoder", {{"w", learnt({2, 2, 2}, 0)}}}, {"value_head", {{"w", two.head}}}}));
  EXPECT_NE(wider.find("decoder/w"), std::string::npos) << wider;
}

TEST(Trainer, WritesCheckpointsOnlyWhereABatchOfUpdatesEnds) {
  const TemporaryFolder work;
  const TwoGroups two;
  const RunHooks hooks = silent_hooks();
  Trainer trainer(two.groups(), plain_options(), 9, 0, work.path(), hooks);
  trainer.checkpoint_at_multiples_of(4, [] { FAIL() << "nobody stopped it"; });
  std::vector<bool> written;
  trainer.run("test", [&](std::int64_t) {
    written.push_back(std::filesystem::exists(work.path() / "checkpoint.pt"));
    two.set_gradients(1, 1);
    return 0.0;
  });
  EXPECT_EQ(written, (std::vector<bool>{false, false, false, false, true, true, true, true, true}));
}

/// What updates share is written before the checkpoint that needs it; where none is shared, it is not.
TEST(Trainer, StoppedInsideABatchOfUpdatesItHasWhatTheyShareWrittenFirst) {
  for (const std::int64_t at : {4, 6}) {
    const TemporaryFolder work;
    const TwoGroups two;
    const RunHooks hooks = silent_hooks();
    Trainer trainer(two.groups(), plain_options(), 9, 0, work.path(), hooks);
    int saved = 0;
    trainer.checkpoint_at_multiples_of(4, [&] { ++saved; });
    const auto run_until = [&](std::int64_t end) {
      trainer.run("test", [&](std::int64_t step) {
        if (step == end) throw Stopped();
        two.set_gradients(1, 1);
        return 0.0;
      });
    };
    EXPECT_THROW(run_until(at), Stopped);
    EXPECT_EQ(saved, at == 6 ? 1 : 0);
    EXPECT_TRUE(std::filesystem::exists(work.path() / "checkpoint.pt"));
    std::vector<std::int64_t> steps;
    Trainer resumed(two.groups(), plain_options(), 9, 0, work.path(), hooks);
    resumed.run("test", [&](std::int64_t step) {
      steps.push_back(step);
      two.set_gradients(1, 1);
      return 0.0;
    });
    EXPECT_EQ(steps.front(), at);
    EXPECT_EQ(steps.size(), static_cast<std::size_t>(9 - at));
  }
}

}  // namespace retort::train
