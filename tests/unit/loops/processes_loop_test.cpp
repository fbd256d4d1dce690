// Two processes of policy gradient, preferences and distillation against one with the same batches: this program starts
// itself again with the environment of torchrun.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "train/process_fixture.h"
#include "training_cases.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Workplace;

class ProcessesLoop : public ::testing::TestWithParam<std::string> {};

}  // namespace

/// The environment may name several; where it names none this is one alone. The test below runs it in processes of
/// their own, too.
TEST(ProcessesLoopOne, TrainsAsOneOfThoseNamed) {
  const char *folder = std::getenv("PROCESSES_TEST_FOLDER"), *which = std::getenv("PROCESSES_TEST_CASE"),
             *rank = std::getenv("RANK");
  if (folder == nullptr || which == nullptr || rank == nullptr) {
    EXPECT_GT(testing::run_case("rollouts", Workplace(), "alone").at("loss").size(), 0u);
    return;
  }
  const Workplace place{fs::path(folder)};
  host::write_json(fs::path(folder) / (std::string(rank) + ".json"), testing::run_case(which, place, rank));
}

TEST_P(ProcessesLoop, TwoGiveTheStepsOfOne) {
  const Workplace place;
  if (GetParam() == "distillation") testing::trained_teacher(place, "teacher", 8);
  const std::string port = testing::free_port();
  const auto start = [&](int rank) {
    return testing::start_process(
        "ProcessesLoopOne.TrainsAsOneOfThoseNamed", rank, 2, port,
        {"PROCESSES_TEST_FOLDER=" + place.folder().string(), "PROCESSES_TEST_CASE=" + GetParam()});
  };
  const pid_t first = start(0), second = start(1);
  ASSERT_EQ(testing::exit_code(first), 0);
  ASSERT_EQ(testing::exit_code(second), 0);
  const json alone = testing::run_case(GetParam(), place, "alone");
  EXPECT_EQ(host::read_file(place.folder() / "0.json"), host::read_file(place.folder() / "1.json"));
  EXPECT_EQ(host::sha256_of_file(place.folder() / "0" / "output" / "model.safetensors"),
            host::sha256_of_file(place.folder() / "1" / "output" / "model.safetensors"));
  testing::expect_all_near(host::read_json(place.folder() / "0.json"), alone, "");
  if (GetParam() == "refill") {
    double refilled = 0;
    for (const json& prompts : alone.at("refilled_prompts")) refilled += prompts.get<double>();
    EXPECT_GT(refilled, 0);
  }
  EXPECT_EQ(alone.contains("empty_answers"), GetParam() == "distillation");  // the student's own were sampled
  EXPECT_LT(testing::largest_difference(place.folder() / "alone" / "output", place.folder() / "0" / "output"), 1e-5);
  const double moved = testing::largest_difference(place.folder() / "alone" / "output", place.policy());
  EXPECT_GT(moved, 1e-4);  // else the comparison says nothing
}

INSTANTIATE_TEST_SUITE_P(Stages, ProcessesLoop,
                         ::testing::Values("rollouts", "refill", "pairs", "samples", "distillation"),
                         [](const auto& test) { return test.param; });

}  // namespace retort::train
