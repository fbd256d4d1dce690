// What goes wrong between the processes of one training: one is lost in the middle, or they were given different work.
// This program starts itself again with the environment of torchrun.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "host/base/files.h"
#include "host/base/json.h"
#include "train/process_fixture.h"
#include "training_cases.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Workplace;

/// What a process is told beside its place: "kill" the step before which it ends as by kill −9, and options that differ
/// from those of the others.
struct Told {
  std::int64_t kill = -1, seed = 5;
  double learning_rate = 1e-2;
  std::string dataset = "dataset";
  std::string folder;  ///< of its run; empty: its rank
};

std::string text_of(const Told& told) {
  return json({{"kill", told.kill},
               {"seed", told.seed},
               {"learning_rate", told.learning_rate},
               {"dataset", told.dataset},
               {"folder", told.folder}})
      .dump();
}

/// Six steps as the process that `told` describes; writes what it failed with to "RANK.error".
void train_as(const json& told, const Workplace& place, const std::string& rank) {
  const std::string folder = told.at("folder").get<std::string>().empty() ? rank : told.at("folder").get<std::string>();
  testing::CaseOptions options;
  options.change = [&](TrainingOptions& training) {
    training.learning_rate = told.at("learning_rate");
    training.checkpoint_steps = 0;  // but for what is left when another is gone
  };
  options.change_tuning = [&](FineTuningJob& job) {
    job.seed = told.at("seed");
    job.dataset = place.folder() / told.at("dataset").get<std::string>();
  };
  options.before_step = [&](std::int64_t step) {
    if (step == told.at("kill").get<std::int64_t>()) ::raise(SIGKILL);
  };
  try {
    testing::run_case("fine_tuning", place, folder, options);
  } catch (const std::exception& error) {
    std::ofstream(place.folder() / (rank + ".error")) << error.what();
  }
}

}  // namespace

class GroupFaults : public ::testing::Test {
 protected:
  /// Both processes to their end; the exit code of the first.
  int run(const Told& first, const Told& second) {
    const std::string port = testing::free_port();
    pid_t started[2];
    for (int rank = 0; rank < 2; ++rank) {
      fs::remove(error_file(rank));
      started[rank] = testing::start_process("GroupFault.OneOfTheProcesses", rank, 2, port,
                                             {"PROCESSES_TEST_FOLDER=" + place_.folder().string(),
                                              "PROCESSES_TEST_TOLD=" + text_of(rank == 0 ? first : second)});
    }
    const int code = testing::exit_code(started[0]);
    testing::exit_code(started[1]);
    return code;
  }
  fs::path error_file(int rank) const { return place_.folder() / (std::to_string(rank) + ".error"); }
  std::string error(int rank) const { return fs::exists(error_file(rank)) ? host::read_file(error_file(rank)) : ""; }
  bool says(int rank, const std::string& words) const { return error(rank).find(words) != std::string::npos; }
  bool wrote(const std::string& folder) const { return !fs::is_empty(place_.folder() / folder / "output"); }
  fs::path checkpoint(const std::string& folder) const { return place_.folder() / folder / "work" / "checkpoint.pt"; }
  std::string model_of(const std::string& folder) const {
    return host::sha256_of_file(place_.folder() / folder / "output" / "model.safetensors");
  }
  Workplace place_;
};

/// The tests below run it in processes of their own; alone it is one whole training.
TEST(GroupFault, OneOfTheProcesses) {
  const char *folder = std::getenv("PROCESSES_TEST_FOLDER"), *rank = std::getenv("RANK"),
             *told = std::getenv("PROCESSES_TEST_TOLD");
  if (folder != nullptr && rank != nullptr && told != nullptr)
    return train_as(json::parse(told), Workplace{fs::path(folder)}, rank);
  const Workplace place;
  train_as(json::parse(text_of({})), place, "0");
  EXPECT_FALSE(fs::exists(place.folder() / "0.error"));
  EXPECT_TRUE(fs::exists(place.folder() / "0" / "output" / "model.safetensors"));
}

TEST_F(GroupFaults, AProcessThatIsLostEndsTheOthersWithTheirStepsKept) {
  Told lost;
  lost.kill = 3;
  EXPECT_EQ(run({}, lost), 0);
  EXPECT_TRUE(says(0, "another process of this training is gone")) << error(0);
  EXPECT_TRUE(says(0, "process 0 has done 3 of 6 steps")) << error(0);
  EXPECT_TRUE(says(0, "checkpoint.pt")) << error(0);
  EXPECT_TRUE(says(0, "start all again")) << error(0);
  EXPECT_FALSE(wrote("0"));
  EXPECT_FALSE(wrote("1"));
  ASSERT_TRUE(fs::exists(checkpoint("0")));
  ASSERT_FALSE(fs::exists(checkpoint("1")));

  // Started again as they are, they stand at different steps, and say what to do.
  EXPECT_EQ(run({}, {}), 0);
  EXPECT_TRUE(says(0, "step is 3 for process 0 and 0 for process 1")) << error(0);
  EXPECT_TRUE(says(1, "step is 0 for process 1 and 3 for process 0")) << error(1);
  EXPECT_TRUE(says(1, "copy checkpoint.pt")) << error(1);
  EXPECT_FALSE(wrote("0"));

  // That done, they end as if nothing had happened.
  fs::copy_file(checkpoint("0"), checkpoint("1"));
  EXPECT_EQ(run({}, {}), 0);
  EXPECT_EQ(error(0), "");
  EXPECT_EQ(error(1), "");
  Told whole[2];
  whole[0].folder = "whole_0";
  whole[1].folder = "whole_1";
  EXPECT_EQ(run(whole[0], whole[1]), 0);
  EXPECT_EQ(model_of("0"), model_of("whole_0"));
  EXPECT_EQ(model_of("1"), model_of("whole_1"));
}

TEST_F(GroupFaults, ProcessesThatWereGivenDifferentWorkAreRefusedWithTheDifference) {
  fs::copy(place_.dataset(), place_.folder() / "other");
  std::string rows = host::read_file(place_.dataset() / "train.jsonl");
  rows.replace(rows.find("kitchen"), 7, "pantry!");  // of the same size, and as many steps
  host::write_file_atomically(place_.folder() / "other" / "train.jsonl", rows);
  Told seed, rate, data;
  seed.seed = 6;
  rate.learning_rate = 2e-2;
  data.dataset = "other";
  const std::vector<std::pair<Told, std::string>> cases = {
      {seed, "seed is 5 for process 0 and 6 for process 1"},
      {rate, "learning_rate is 0.01 for process 0 and 0.02 for process 1"},
      {data, "sha256 of the data set's train.jsonl is "}};
  for (const auto& [other, words] : cases) {
    EXPECT_EQ(run({}, other), 0);
    EXPECT_TRUE(says(0, words)) << error(0);
    for (const int rank : {0, 1}) {
      EXPECT_TRUE(says(rank, "processes of one training begin with different work: ")) << error(rank);
      EXPECT_TRUE(says(rank, "give all the same config and data")) << error(rank);
      EXPECT_FALSE(wrote(std::to_string(rank)));
      EXPECT_FALSE(fs::exists(checkpoint(std::to_string(rank))));
    }
  }
}

}  // namespace retort::train
